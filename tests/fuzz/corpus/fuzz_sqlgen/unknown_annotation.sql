-- nmae: unknown_annotation_get :one
-- name: x_get :one
select 1;
-- => 1: unknown annotation 'nmae:'; known is name, and prose needs no colon
