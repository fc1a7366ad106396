SELECT toString(_source) AS source, _partition AS partition, max(_offset) AS highest
FROM {{table}}
WHERE _source IN ({{sources}})
GROUP BY _source, _partition
