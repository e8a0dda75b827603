-- name: x_get :one
-- name: x_set :exec
update item set n = 1;
-- => 1: query no_statement_get has no statement
