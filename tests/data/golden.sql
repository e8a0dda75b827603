-- Everything sqlgen knows, once.

-- name: golden_get :one golden.v1.Thing
-- A comment is left out, whatever it says: $9.
select id, name, 'a ''quoted'' $7; "text"' as "a $8; name", $$ $6 $$ as tag, '
-- not a comment
' as lines
  from thing
 where id = $1;

-- name: golden_list :many golden.v1.Thing :replan
select id /* $3 ; */, name
  from thing
 where kind = $2 and tags && $1::text[] -- trailing
 order by id

-- name: golden_touch :exec
update thing set seen = seen + 1 where why = 'really??!' and name <> E'\\t\u00fc – ü';
