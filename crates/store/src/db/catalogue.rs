//! What the database itself says of its tables: for the migrations and for the generated schema files.

use super::{DbError, Tx, sql};

impl Tx {
    pub(crate) async fn table_exists(&mut self, name: &'static str) -> Result<bool, DbError> {
        let text = if self.is_postgres() { TABLE_ON_POSTGRES } else { TABLE_ON_SQLITE };
        sql(text).bind(name).one(self).await?.take()
    }

    /// Makes sure that one process at a time migrates. On SQLite the immediate transaction does that already.
    pub(crate) async fn lock_for_migration(&mut self) -> Result<(), DbError> {
        if self.is_postgres() {
            self.script("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;").await?;
            self.script(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
        }
        Ok(())
    }

    /// The only DDL that differs: where published integers come from.
    pub(crate) async fn make_sequence(&mut self, name: &str) -> Result<(), DbError> {
        let text = if self.is_postgres() {
            format!("CREATE SEQUENCE {name}_ids AS BIGINT")
        } else {
            format!(
                "CREATE TABLE IF NOT EXISTS sequences (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
                 INSERT INTO sequences (name, value) VALUES ('{name}', 0);"
            )
        };
        self.script(&text).await
    }

    /// The schema as text, one statement per table, index and sequence, sorted by name.
    pub(crate) async fn describe(&mut self) -> Result<String, DbError> {
        let text = if self.is_postgres() { SCHEMA_ON_POSTGRES } else { SCHEMA_ON_SQLITE };
        let mut out = String::new();
        for mut row in sql(text).all(self).await? {
            out.push_str(row.take::<String>()?.trim());
            out.push_str(";\n\n");
        }
        Ok(format!("{}\n", out.trim_end()))
    }
}

/// Any fixed number; it names our lock among those of other programs in the same database.
const MIGRATION_LOCK: i64 = 0x7665_7374_6962;

const TABLE_ON_SQLITE: &str = "SELECT COUNT(*) > 0 FROM sqlite_schema WHERE type = 'table' AND name = $1";
const TABLE_ON_POSTGRES: &str = "SELECT to_regclass($1) IS NOT NULL";

const SCHEMA_ON_SQLITE: &str = "
    SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'
    ORDER BY tbl_name, type DESC, name";

const SCHEMA_ON_POSTGRES: &str = r"
    SELECT text FROM (
        SELECT c.relname AS place, 0 AS kind, c.relname AS name,
            'CREATE TABLE ' || c.relname || E' (\n    ' || string_agg(
                a.attname || ' ' || upper(format_type(a.atttypid, a.atttypmod))
                || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
                || COALESCE(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), ''), E',\n    ' ORDER BY a.attnum)
            || COALESCE((SELECT string_agg(E',\n    CONSTRAINT ' || k.conname || ' ' || pg_get_constraintdef(k.oid), '' ORDER BY k.conname)
                FROM pg_constraint k WHERE k.conrelid = c.oid), '') || E'\n)' AS text
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
        GROUP BY c.oid, c.relname
        UNION ALL
        SELECT i.tablename, 1, i.indexname, replace(i.indexdef, current_schema() || '.', '')
        FROM pg_indexes i
        WHERE i.schemaname = current_schema()
            AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conname = i.indexname)
        UNION ALL
        SELECT s.sequencename, 2, s.sequencename, 'CREATE SEQUENCE ' || s.sequencename
        FROM pg_sequences s WHERE s.schemaname = current_schema()
    ) AS parts ORDER BY place, kind, name";
