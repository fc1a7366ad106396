SELECT count() AS rows, uniqExact(_source, _partition, _offset) AS different
FROM {{table}}
WHERE {{where}}
