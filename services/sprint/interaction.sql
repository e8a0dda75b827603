-- name: interaction_insert :one sprint.v1.Interaction
insert into interaction (id, session_id, user_id, source, title, summary, decisions, action_items,
                         tools_used, sprint_id, work_item_id, tags, message_count, metadata,
                         transcript)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
returning id, session_id, user_id, source, title, summary, decisions, action_items, tools_used,
          sprint_id, work_item_id, tags, message_count, metadata, created_at, updated_at;

-- name: interaction_message_insert :exec
insert into interaction_message (interaction_id, position, role, content, tool_calls, token_count)
select $1, n, role, content, nullif(tool_calls, ''), token_count
  from unnest($2::text[], $3::text[], $4::text[], $5::int[]) with ordinality
       as m (role, content, tool_calls, token_count, n);

-- name: interaction_get :one sprint.v1.Interaction
select id, session_id, user_id, source, title, summary, decisions, action_items, tools_used,
       sprint_id, work_item_id, tags, message_count, metadata, created_at, updated_at
  from interaction
 where id = $1;

-- name: interaction_messages :many sprint.v1.InteractionMessage
select role, content, tool_calls, token_count, created_at
  from interaction_message
 where interaction_id = $1
 order by position;

-- What a conversation is about is also linked with it.
-- name: interaction_list :many sprint.v1.Interaction :replan
select id, session_id, user_id, source, title, summary, decisions, action_items, tools_used,
       sprint_id, work_item_id, tags, message_count, metadata, created_at, updated_at
  from interaction
 where ($1::text is null or user_id = $1)
   and ($2::text is null or id = any (array(select interaction_id from interaction_link
                                             where sprint_id = $2)))
   and ($3::text is null or id = any (array(select interaction_id from interaction_link
                                             where work_item_id = $3)))
   and ($4::text is null or session_id = $4)
   and ($5::text is null or source = $5)
   and ($6::text[] = '{}' or tags && $6)
   and ($7::date is null or created_at >= $7::date::timestamp at time zone 'UTC')
   and ($8::date is null or created_at < ($8::date + 1)::timestamp at time zone 'UTC')
 order by created_at desc, id
 limit $9 offset $10;

-- name: interaction_count :one sprint.v1.ListInteractionsResponse :replan
select count(*)::int as total
  from interaction
 where ($1::text is null or user_id = $1)
   and ($2::text is null or id = any (array(select interaction_id from interaction_link
                                             where sprint_id = $2)))
   and ($3::text is null or id = any (array(select interaction_id from interaction_link
                                             where work_item_id = $3)))
   and ($4::text is null or session_id = $4)
   and ($5::text is null or source = $5)
   and ($6::text[] = '{}' or tags && $6)
   and ($7::date is null or created_at >= $7::date::timestamp at time zone 'UTC')
   and ($8::date is null or created_at < ($8::date + 1)::timestamp at time zone 'UTC');

-- The query is looked up in the index however many match: a plan that knew them
-- to be many would read the table.
-- name: interaction_search_count :one sprint.v1.SearchInteractionsResponse :replan
select count(*)::int as total
  from interaction
 where search @@ (select query($1))
   and ($2::text is null or user_id = $2)
   and ($3::text[] = '{}' or tags && $3)
   and ($4::date is null or created_at >= $4::date::timestamp at time zone 'UTC')
   and ($5::date is null or created_at < ($5::date + 1)::timestamp at time zone 'UTC');

-- Only the page gets snippets: of the summary, else of the messages. Marks are
-- control characters until the end, because texts have asterisks of their own.
-- name: interaction_search :many :replan
with hit as materialized (
  select id, summary, transcript, updated_at, ts_rank(search, query($1)) as rank
    from interaction
   where search @@ (select query($1))
     and ($2::text is null or user_id = $2)
     and ($3::text[] = '{}' or tags && $3)
     and ($4::date is null or created_at >= $4::date::timestamp at time zone 'UTC')
     and ($5::date is null or created_at < ($5::date + 1)::timestamp at time zone 'UTC')
   order by rank desc, updated_at desc, id
   limit $6 offset $7)
select id, rank::float8 as rank,
       regexp_replace(case
         when strpos(about, chr(2)) > 0 or transcript = '' then about
         else coalesce((select nullif(b, '')
                          from ts_headline('words', left(transcript, 30000), query($1),
                            'MaxWords=30, MinWords=20, StartSel=' || chr(2) || ', StopSel='
                            || chr(3)) b
                         where strpos(b, chr(2)) > 0), about)
       end, '[\x02\x03]', '**', 'g') as snippet
  from hit,
       ts_headline('words', coalesce(summary, ''), query($1),
         'MaxWords=30, MinWords=20, StartSel=' || chr(2) || ', StopSel=' || chr(3)) about
 order by hit.rank desc, updated_at desc, id;

-- name: interaction_named :many sprint.v1.Interaction
select i.id, session_id, user_id, source, title, summary, decisions, action_items, tools_used,
       sprint_id, work_item_id, tags, message_count, metadata, created_at, updated_at
  from unnest($1::text[]) with ordinality as wanted (id, n)
  join interaction i on i.id = wanted.id
 order by n;
