-- A probe is due at once, but not again and again: the last one tells enough for a
-- while.
-- name: report_hasten :exec
update mcp_state
   set next_check_at = now()
 where mcp_id = any ($1) and next_check_at > now()
   and (checked_at is null or checked_at < now() - interval '5 seconds');
