-- name: x_get :one
select $65;
-- => 1: query params_too_many_get has a parameter beyond $64
