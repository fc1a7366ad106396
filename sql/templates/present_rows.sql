SELECT toString(_source) AS source, _partition AS partition, groupArray(_offset) AS offsets
FROM {{table}}
WHERE {{where}}
GROUP BY source, partition
