-- name: x_get :one
-- '$2' and "$2" and $$ $2 $$ /* $2 */ are no parameters
select $1, '$2', "$2", $$ $2 $$ /* $2 */, $3 -- $2
-- => 1: query params_with_gap_get uses no $2 but a higher one; number them from $1 on
