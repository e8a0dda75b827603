-- A probe is due at once, but not again and again: the last one tells enough for a
-- while.
-- name: report_hasten :exec
update mcp_state
   set next_check_at = now()
 where mcp_id = any ($1) and next_check_at > now()
   and (checked_at is null or checked_at < now() - interval '5 seconds');

-- Its lists are read anew, yet not in a row without end.
-- name: report_changed :exec
update mcp_state
   set next_check_at = least(next_check_at,
                             greatest(now(), coalesce(checked_at, now()) + interval '2 seconds'))
 where mcp_id = any ($1);
