-- A sprint whose completion was committed after the digest of its day was made, but
-- bears an earlier time, was not told of. So a digest says which ones it tells of.

-- A sprint may be opened again and completed again.
create function sprint.completion(id text, completed_at timestamptz) returns text
  language sql immutable parallel safe as $$
  select id || ' ' || extract(epoch from completed_at) $$;

alter table sprint.digest add told text[] not null default '{}';

update sprint.digest d
   set told = array(select sprint.completion(s.id, s.completed_at)
                      from sprint.sprint s
                     where s.status = 'completed'
                       and (s.completed_at at time zone 'UTC')::date = d.period
                       and coalesce(s.project_id, '') = d.project_id
                       and s.completed_at <= d.created_at)
 where kind = 'sprint_end';
