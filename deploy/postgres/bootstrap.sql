-- Makes the database of mal-hub: one schema and one role per service, which can
-- see nothing else. Run as superuser with psql; repeating it is harmless. The
-- passwords come from the environment: MAL_PG_PASSWORD_<SERVICE>.
\set ON_ERROR_STOP on
set client_min_messages = warning;

create extension if not exists unaccent with schema public;
revoke create on schema public from public;
select format('revoke all on database %I from public', current_database()) \gexec

\getenv catalog MAL_PG_PASSWORD_CATALOG
\set service catalog
\set password :catalog
\ir service.sql
