-- name: :one
select 1;
-- => 1: ':one' is no query name; use <noun>_<verb> in lower_snake_case
-- => 1: query :one has kind ''; use :one, :many, :exec, :text or :rows
-- => 1: query :one must begin with query_without_name_, the name of its file
