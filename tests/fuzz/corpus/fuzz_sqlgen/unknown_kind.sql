-- name: x_get :single
select 1;
-- => 1: query unknown_kind_get has kind ':single'; use :one, :many, :exec, :text or :rows
