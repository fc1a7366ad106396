SELECT toString(_source) AS source, _partition AS partition, max(_offset) AS highest
FROM {{table}}
WHERE {{where}}
GROUP BY _source, _partition
