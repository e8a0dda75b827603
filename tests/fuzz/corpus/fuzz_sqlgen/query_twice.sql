-- name: x_get :one
select 1;
-- name: x_get :one
select 2;
-- => 3: query query_twice_get is there already, line 1; rename one
