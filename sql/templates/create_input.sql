CREATE TABLE IF NOT EXISTS {{table}} (
{{columns}}
)
ENGINE = Null
COMMENT {{comment}}
