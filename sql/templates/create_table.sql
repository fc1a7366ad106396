CREATE TABLE IF NOT EXISTS {{table}} (
{{columns}}
)
ENGINE = {{engine}}
{{partition_by}}
ORDER BY {{order_by}}
{{ttl}}
SETTINGS {{settings}}
COMMENT {{comment}}
