-- The team's work: projects, sprints, work items with their journal, conversations
-- with messages, links and decisions, digests. The schema with its outbox and inbox
-- and, in public, the extension unaccent are made before this runs.

create domain sprint.slug as text
  check (value ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(value) <= 64);
create domain sprint.item as text
  check (value ~ '^[A-Za-z0-9][A-Za-z0-9-]{0,63}$');

-- Text search: English stems without stop words, accents and case ignored.
create text search dictionary sprint.stem (template = snowball, language = english);

create text search configuration sprint.words (copy = simple);
alter text search configuration sprint.words
  alter mapping for asciiword, word, numword, asciihword, hword, numhword, hword_asciipart,
                    hword_part, hword_numpart
  with public.unaccent, sprint.stem;

-- For terms that match by their beginning.
create text search configuration sprint.plain (copy = simple);
alter text search configuration sprint.plain
  alter mapping for asciiword, word, numword, asciihword, hword, numhword, hword_asciipart,
                    hword_part, hword_numpart
  with public.unaccent, simple;

create function sprint.join(text[]) returns text language sql immutable parallel safe as $$
  select coalesce(string_agg(w, ' '), '') from unnest($1) w $$;

create function sprint.vector(a text, b text, c text, d text) returns tsvector
  language sql immutable parallel safe as $$
  select setweight(to_tsvector('sprint.words', coalesce(a, '')), 'A') ||
         setweight(to_tsvector('sprint.words', coalesce(b, '')), 'B') ||
         setweight(to_tsvector('sprint.words', coalesce(c, '')), 'C') ||
         setweight(to_tsvector('sprint.words', left(coalesce(d, ''), 100000)), 'D') ||
         to_tsvector('sprint.plain', left(concat_ws(' ', a, b, c), 20000)) $$;

-- Null when there is nothing to search for.
create function sprint.query(q text) returns tsquery
  language plpgsql immutable strict parallel safe as $$
declare
  m text[];
  r tsquery;
  p tsquery;
  alt bool := false;
begin
  for m in select regexp_matches(q, '(-?)(?:"([^"]*)"|(\S+))', 'g') loop
    if m[2] is not null then
      p := phraseto_tsquery('sprint.words', m[2]);
    elsif m[3] = 'OR' then
      alt := r is not null;
      continue;
    elsif m[3] ~ '^[[:alnum:]_-]{2,}\*$' then
      p := to_tsquery('sprint.plain', '''' || rtrim(m[3], '*') || ''':*');
    else
      p := plainto_tsquery('sprint.words', m[3]);
    end if;
    if numnode(p) = 0 then
      continue;
    end if;
    if m[1] = '-' then
      p := !!p;
    end if;
    r := case when r is null then p when alt then r || p else r && p end;
    alt := false;
  end loop;
  return r;
end $$;

-- How many rows of a kind there are, as a sum of changes: lists tell their total
-- without reading the table. Writers only append, so that none waits for another;
-- now and then one of them adds up what it finds unlocked.
create table sprint.tally (
  noun     text not null,
  status   text not null default '',
  type     text not null default '',
  priority text not null default '',
  n        bigint not null
);
create index tally_noun on sprint.tally (noun);

-- The argument names what rows are told apart by: status, type, priority.
create function sprint.tally_changes() returns trigger language plpgsql as $$
begin
  execute format(
    'insert into sprint.tally (noun, status, type, priority, n)
     select %L, %s, sum(d) from (%s) as rows group by 1, 2, 3, 4 having sum(d) <> 0',
    tg_table_name, tg_argv[0],
    case tg_op when 'INSERT' then 'select *, 1 as d from new_rows'
               when 'DELETE' then 'select *, -1 as d from old_rows'
               else 'select *, 1 as d from new_rows union all select *, -1 from old_rows' end);
  if random() < 0.02 then
    with taken as (
      delete from sprint.tally
       where ctid = any (array(select ctid from sprint.tally where noun = tg_table_name
                                  for update skip locked))
      returning noun, status, type, priority, n)
    insert into sprint.tally (noun, status, type, priority, n)
    select noun, status, type, priority, sum(n)
      from taken
     group by noun, status, type, priority
    having sum(n) <> 0;
  end if;
  return null;
end $$;

-- The next number of each key; projects may share a key.
create table sprint.item_key (
  key  text primary key,
  next int not null default 1
);

-- Numbers that someone gave by hand are skipped. The key stays locked until the
-- transaction ends: none is lost, none is given twice.
create function sprint.take_number(k text) returns int language plpgsql as $$
declare
  n int;
begin
  insert into sprint.item_key (key) values (k) on conflict do nothing;
  select next into n from sprint.item_key where key = k for update;
  while exists (select from sprint.work_item where id = k || '-' || n) loop
    n := n + 1;
  end loop;
  update sprint.item_key set next = n + 1 where key = k;
  return n;
end $$;

-- Latin letters become base letters, all else that is no letter or digit a hyphen.
create function sprint.slug_of(name text, other text) returns text
  language sql stable parallel safe as $$
  select coalesce(nullif(trim('-' from left(trim('-' from regexp_replace(
           lower(public.unaccent(normalize(name))), '[^a-z0-9]+', '-', 'g')), 60)), ''), other) $$;

create table sprint.project (
  id          sprint.slug primary key,
  key         text not null default 'MAL',
  name        text not null,
  description text,
  status      text not null default 'active' check (status in
                ('planning', 'active', 'paused', 'completed', 'archived')),
  owner_id    text,
  color       text not null default 'blue',
  metadata    jsonb not null default '{}',
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now()
);
create index project_updated on sprint.project (updated_at desc, id);
create trigger project_added after insert on sprint.project
  referencing new table as new_rows for each statement
  execute function sprint.tally_changes('status, '''', ''''');
create trigger project_changed after update on sprint.project
  referencing old table as old_rows new table as new_rows for each statement
  execute function sprint.tally_changes('status, '''', ''''');
create trigger project_gone after delete on sprint.project
  referencing old table as old_rows for each statement
  execute function sprint.tally_changes('status, '''', ''''');

-- 7 of "Sprint 7" and of "The sprint #07: launch".
create function sprint.numbers_of(name text) returns text[]
  language sql immutable parallel safe as $$
  select array(select m[1]
                 from regexp_matches(name, '\msprint[^[:alnum:]_]{1,2}0*([0-9]{1,9})\M', 'gi') m) $$;

create table sprint.sprint (
  id            sprint.slug primary key,
  name          text not null,
  goal          text,
  start_date    date not null,
  end_date      date not null,
  status        text not null default 'planned' check (status in
                  ('planned', 'active', 'completed', 'cancelled')),
  velocity      int check (velocity between 0 and 100000),
  team_capacity int check (team_capacity between 0 and 100000),
  summary       text,
  retrospective text,
  created_by    text,
  project_id    sprint.slug references sprint.project on delete set null,
  metadata      jsonb not null default '{}',
  completed_at  timestamptz,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  constraint sprint_days check (end_date >= start_date),
  constraint sprint_completion check ((status = 'completed') = (completed_at is not null))
);
create index sprint_status on sprint.sprint (status);
create index sprint_project on sprint.sprint (project_id);
create index sprint_span on sprint.sprint (start_date, end_date);
create index sprint_updated on sprint.sprint (updated_at desc, id);
-- Beyond the contract: what "sprint 7" in a conversation means.
create index sprint_numbers on sprint.sprint using gin (sprint.numbers_of(name));
-- Beyond the contract: the sprints of a project, latest start first.
create index sprint_project_start on sprint.sprint (project_id, start_date desc, id);
create trigger sprint_added after insert on sprint.sprint
  referencing new table as new_rows for each statement
  execute function sprint.tally_changes('status, '''', ''''');
create trigger sprint_changed after update on sprint.sprint
  referencing old table as old_rows new table as new_rows for each statement
  execute function sprint.tally_changes('status, '''', ''''');
create trigger sprint_gone after delete on sprint.sprint
  referencing old table as old_rows for each statement
  execute function sprint.tally_changes('status, '''', ''''');

create table sprint.work_item (
  id            sprint.item primary key,
  title         text not null,
  description   text,
  type          text not null default 'task' check (type in
                  ('epic', 'story', 'task', 'bug', 'spike')),
  status        text not null default 'backlog' check (status in
                  ('backlog', 'todo', 'in_progress', 'review', 'done', 'cancelled')),
  priority      text not null default 'medium' check (priority in
                  ('critical', 'high', 'medium', 'low')),
  story_points  int check (story_points between 0 and 100),
  sprint_id     sprint.slug references sprint.sprint on delete set null,
  project_id    sprint.slug references sprint.project on delete set null,
  assignee      text,
  reporter      text,
  labels        text[] not null default '{}',
  parent_id     sprint.item references sprint.work_item on delete set null,
  due_date      date,
  completed_at  timestamptz,
  metadata      jsonb not null default '{}',
  blocked_since timestamptz,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  constraint work_item_parent check (parent_id <> id),
  constraint work_item_completion check ((status = 'done') = (completed_at is not null)),
  constraint work_item_blocked check (('blocked' = any (labels)) = (blocked_since is not null))
);
create index work_item_sprint on sprint.work_item (sprint_id);
create index work_item_project on sprint.work_item (project_id);
create index work_item_assignee on sprint.work_item (assignee);
create index work_item_status on sprint.work_item (status);
create index work_item_parent_id on sprint.work_item (parent_id);
create index work_item_labels on sprint.work_item using gin (labels);
create index work_item_updated on sprint.work_item (updated_at desc, id);
-- Beyond the contract: lists filtered by one of these in their order, the numbers
-- of a project, and live velocity, without reading what is not shown.
create index work_item_sprint_updated on sprint.work_item (sprint_id, updated_at desc, id);
create index work_item_project_updated on sprint.work_item (project_id, updated_at desc, id);
create index work_item_assignee_updated on sprint.work_item (assignee, updated_at desc, id);
create index work_item_status_updated on sprint.work_item (status, updated_at desc, id);
create index work_item_type_updated on sprint.work_item (type, updated_at desc, id);
create index work_item_priority_updated on sprint.work_item (priority, updated_at desc, id);
create index work_item_project_status on sprint.work_item (project_id, status);
create index work_item_open on sprint.work_item (assignee)
  where status not in ('done', 'cancelled');
create index work_item_done on sprint.work_item (sprint_id) include (story_points)
  where status = 'done';
create trigger work_item_added after insert on sprint.work_item
  referencing new table as new_rows for each statement
  execute function sprint.tally_changes('status, type, priority');
create trigger work_item_changed after update on sprint.work_item
  referencing old table as old_rows new table as new_rows for each statement
  execute function sprint.tally_changes('status, type, priority');
create trigger work_item_gone after delete on sprint.work_item
  referencing old table as old_rows for each statement
  execute function sprint.tally_changes('status, type, priority');

-- The journal: one row per changed field.
create table sprint.work_item_change (
  id           bigint generated always as identity primary key,
  work_item_id sprint.item not null references sprint.work_item on delete cascade,
  at           timestamptz not null default now(),
  actor        text not null,
  field        text not null,
  old_value    text,
  new_value    text
);
create index work_item_change_item on sprint.work_item_change (work_item_id, at desc);

create table sprint.interaction (
  id            text primary key,
  session_id    text not null,
  user_id       text not null,
  source        text not null default 'claude_code' check (source in
                  ('claude_code', 'web_chat', 'api')),
  title         text,
  summary       text,
  decisions     text[] not null default '{}',
  action_items  text[] not null default '{}',
  tools_used    text[] not null default '{}',
  sprint_id     sprint.slug references sprint.sprint on delete set null,
  work_item_id  sprint.item references sprint.work_item on delete set null,
  tags          text[] not null default '{}',
  message_count int not null check (message_count between 0 and 100000),
  metadata      jsonb not null default '{}',
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  transcript    text not null default '',
  search        tsvector generated always as (sprint.vector(
                  title, sprint.join(tags) || ' ' || sprint.join(decisions),
                  coalesce(summary, '') || ' ' || sprint.join(action_items), transcript)) stored
);
create index interaction_user on sprint.interaction (user_id);
create index interaction_sprint on sprint.interaction (sprint_id);
create index interaction_session on sprint.interaction (session_id);
create index interaction_work_item on sprint.interaction (work_item_id);
create index interaction_created on sprint.interaction (created_at desc);
create index interaction_search on sprint.interaction using gin (search);
create index interaction_tags on sprint.interaction using gin (tags);
-- Beyond the contract: lists filtered by one of these, in their order.
create index interaction_user_created on sprint.interaction (user_id, created_at desc, id);
create index interaction_source_created on sprint.interaction (source, created_at desc, id);
create trigger interaction_added after insert on sprint.interaction
  referencing new table as new_rows for each statement
  execute function sprint.tally_changes(''''', source, ''''');
create trigger interaction_gone after delete on sprint.interaction
  referencing old table as old_rows for each statement
  execute function sprint.tally_changes(''''', source, ''''');

create table sprint.interaction_message (
  id             bigint generated always as identity primary key,
  interaction_id text not null references sprint.interaction on delete cascade,
  position       int not null,
  role           text not null check (role in ('human', 'assistant', 'tool')),
  content        text not null,
  tool_calls     text,
  token_count    int check (token_count >= 0),
  created_at     timestamptz not null default now(),
  unique (interaction_id, position)
);

-- What a conversation is about or mentions.
create table sprint.interaction_link (
  interaction_id text not null references sprint.interaction on delete cascade,
  sprint_id      sprint.slug references sprint.sprint on delete cascade,
  work_item_id   sprint.item references sprint.work_item on delete cascade,
  constraint interaction_link_one check (num_nonnulls(sprint_id, work_item_id) = 1),
  unique nulls not distinct (interaction_id, sprint_id, work_item_id)
);
create index interaction_link_work_item on sprint.interaction_link (work_item_id);
create index interaction_link_sprint on sprint.interaction_link (sprint_id);

create table sprint.decision (
  id             bigint generated always as identity primary key,
  interaction_id text not null references sprint.interaction on delete cascade,
  position       int not null,
  text           text not null,
  user_id        text not null,
  sprint_id      sprint.slug references sprint.sprint on delete set null,
  work_item_id   sprint.item references sprint.work_item on delete set null,
  created_at     timestamptz not null default now(),
  search         tsvector generated always as (sprint.vector(text, null, null, null)) stored
);
create index decision_created on sprint.decision (created_at desc);
create index decision_search on sprint.decision using gin (search);
-- Deleting what a decision refers to looks for it.
create index decision_interaction on sprint.decision (interaction_id);
create index decision_work_item on sprint.decision (work_item_id);
-- Beyond the contract: lists filtered by one of these, in their order.
create index decision_user_created on sprint.decision (user_id, created_at desc, id desc);
create index decision_sprint_created on sprint.decision (sprint_id, created_at desc, id desc);
create trigger decision_added after insert on sprint.decision
  referencing new table as new_rows for each statement
  execute function sprint.tally_changes(''''', '''', ''''');
create trigger decision_gone after delete on sprint.decision
  referencing old table as old_rows for each statement
  execute function sprint.tally_changes(''''', '''', ''''');

create table sprint.digest (
  kind       text not null check (kind in ('daily', 'weekly', 'sprint_end')),
  period     date not null,
  project_id text not null default '',
  body       text not null,
  created_at timestamptz not null default now(),
  primary key (kind, period, project_id)
);
