-- Makes the database of mal-hub: one schema and one role per service, which can
-- see nothing else. Run as superuser with psql; repeating it is harmless. The
-- passwords come from the environment: MAL_PG_PASSWORD_<SERVICE>.
\set ON_ERROR_STOP on
set client_min_messages = warning;

\getenv catalog MAL_PG_PASSWORD_CATALOG
\getenv sprint MAL_PG_PASSWORD_SPRINT
\getenv gamify MAL_PG_PASSWORD_GAMIFY
\getenv mcp_health MAL_PG_PASSWORD_MCP_HEALTH

create temporary table service (name text, password text);
insert into service values
  ('catalog', :'catalog'),
  ('sprint', :'sprint'),
  ('gamify', :'gamify'),
  ('mcp_health', :'mcp_health');

create extension if not exists unaccent with schema public;
revoke create on schema public from public;
select format('revoke all on database %I from public', current_database()) \gexec

select format('create role %I login', name)
  from service where not exists (select from pg_roles where rolname = name) \gexec
select format('alter role %I with password %L', name, password) from service \gexec
select format('grant connect on database %I to %I', current_database(), name) from service \gexec
select format('create schema if not exists %I authorization %I', name, name) from service \gexec
