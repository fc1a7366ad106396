CREATE MATERIALIZED VIEW IF NOT EXISTS {{view}} TO {{table}} AS
SELECT {{columns}}
FROM {{input}}
