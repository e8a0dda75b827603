-- One service's role and schema; included by bootstrap.sql with :service and
-- :password set.
select format('create role %I login', :'service')
 where not exists (select from pg_roles where rolname = :'service') \gexec
select format('alter role %I with password %L', :'service', :'password') \gexec
select format('alter role %I set search_path = %I, public', :'service', :'service') \gexec
select format('grant connect on database %I to %I', current_database(), :'service') \gexec
select format('create schema if not exists %I authorization %I', :'service', :'service') \gexec
