-- A probe is due at once, but not again and again: some time after the last one.
-- name: report_hasten :exec
update mcp_state
   set next_check_at = least(next_check_at,
                             greatest(now(), coalesce(checked_at + interval '2 seconds', now())))
 where mcp_id = any ($1);

-- Calls were answered, $2 ms ago: what failed before that says nothing any more.
-- name: report_answered :exec
with answered as (
  select st.mcp_id, now() - a.ms * interval '1 millisecond' as at
    from mcp_state st
    join (select unnest($1::text[]) as id, unnest($2::int[]) as ms) a on a.id = st.mcp_id
   order by st.mcp_id for update of st)
update mcp_state st set last_ok_at = a.at from answered a
 where st.mcp_id = a.mcp_id and (st.last_ok_at is null or st.last_ok_at < a.at);

-- Its lists are read anew, yet not in a row without end.
-- name: report_changed :exec
update mcp_state
   set next_check_at = least(next_check_at,
                             greatest(now(), coalesce(checked_at, now()) + interval '2 seconds'))
 where mcp_id = any ($1);
