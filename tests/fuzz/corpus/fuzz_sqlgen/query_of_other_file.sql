-- name: x_get :one
select 1;
-- => 1: query item_get must begin with query_of_other_file_, the name of its file
