// Wrote the java-*.bin files: java -cp 'kafka-clients and its dependencies' Produce.java HOST:PORT
// Each file holds the log segments of the topic as the broker keeps them, one after another.
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Produce {
  static byte[] bytes(String s) { return s == null ? null : s.getBytes(StandardCharsets.UTF_8); }

  static KafkaProducer<byte[], byte[]> producer(String brokers, String codec, String transactionalId) {
    Properties p = new Properties();
    p.put("bootstrap.servers", brokers);
    p.put("compression.type", codec);
    p.put("linger.ms", "300");
    if (transactionalId != null) p.put("transactional.id", transactionalId);
    KafkaProducer<byte[], byte[]> made = new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer());
    if (transactionalId != null) made.initTransactions();
    return made;
  }

  static void send(KafkaProducer<byte[], byte[]> to, String topic, int i) {
    String key = i % 5 == 0 ? null : "key " + i, value = i % 7 == 0 ? null : ("value " + i + " ").repeat(i % 11);
    long time = 1700000000000L - i * 100000000L; // later ones are older, in the end by more than 32 bits
    ProducerRecord<byte[], byte[]> r = new ProducerRecord<>(topic, 0, time, bytes(key), bytes(value));
    if (i % 3 == 0) r.headers().add("h", bytes("header " + i)).add("none", null);
    to.send(r);
  }

  public static void main(String[] args) throws Exception {
    for (String codec : new String[] {"none", "gzip", "snappy", "lz4", "zstd"}) {
      try (KafkaProducer<byte[], byte[]> p = producer(args[0], codec, null)) {
        for (int i = 0; i < 60; i++) send(p, "java-" + codec, i);
      }
    }
    try (KafkaProducer<byte[], byte[]> a = producer(args[0], "none", "a"); KafkaProducer<byte[], byte[]> b = producer(args[0], "none", "b")) {
      a.beginTransaction();
      b.beginTransaction();
      for (int i = 0; i < 3; i++) { send(a, "java-transactions", i); a.flush(); send(b, "java-transactions", i); b.flush(); }
      a.commitTransaction();
      send(b, "java-transactions", 3); b.flush();
      b.abortTransaction();
      b.beginTransaction();
      send(b, "java-transactions", 4);
      b.commitTransaction();
    }
  }
}
