-- name: x_get :one
select ';';
select 2;
-- => 1: query two_statements_get has a second statement; give it its own name
