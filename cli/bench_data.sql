-- The data set of a large team, for `mal bench data`. The same seed, scale and day
-- give the same rows. Run in order, in one transaction, by the superuser; mal.seed,
-- mal.today and the counts (mal.members, …) are settings of the session.

-- ---- chance ----------------------------------------------------------------

-- name: bench_data_conf :exec
create function pg_temp.conf(name text) returns int language sql stable as $f$
  select current_setting('mal.' || name)::int $f$;

-- The day on which it all ends, at midnight.
-- name: bench_data_today :exec
create function pg_temp.today() returns timestamptz language sql stable as $f$
  select current_setting('mal.today')::timestamp at time zone 'UTC' $f$;

-- 32 bytes that follow from the seed, the kind of row and its number.
-- name: bench_data_hash :exec
create function pg_temp.hash(what text, i bigint) returns bytea language sql stable as $f$
  select sha256(convert_to(current_setting('mal.seed') || what || i, 'UTF8')) $f$;

-- A number below n from three of the bytes, k = 0 to 9.
-- name: bench_data_roll :exec
create function pg_temp.roll(h bytea, k int, n int) returns int
  language sql immutable as $f$
  select ((get_byte(h, 3 * k) << 16) | (get_byte(h, 3 * k + 1) << 8) | get_byte(h, 3 * k + 2)) % n $f$;

-- name: bench_data_pick :exec
create function pg_temp.pick(h bytea, k int, list text[]) returns text
  language sql immutable as $f$
  select list[1 + pg_temp.roll(h, k, cardinality(list))] $f$;

-- A few words are in many texts; the others carry a number and are in few.
-- name: bench_data_word :exec
create function pg_temp.word(h bytea, k int) returns text language sql immutable as $f$
  select list[1 + pg_temp.roll(h, k, cardinality(list))]
         || case when pg_temp.roll(h, k + 3, 6) > 0 then pg_temp.roll(h, k + 6, 40)::text else '' end
    from (select array[
    'account', 'after', 'alert', 'answer', 'archive', 'batch', 'before', 'board', 'branch',
    'breaks', 'bucket', 'budget', 'build', 'cache', 'call', 'changes', 'check', 'client',
    'cluster', 'column', 'commit', 'config', 'connection', 'container', 'context', 'copy',
    'counter', 'cursor', 'customer', 'dashboard', 'database', 'deadline', 'decides', 'default',
    'deploy', 'deployment', 'design', 'disk', 'document', 'driver', 'draft', 'edge', 'endpoint',
    'error', 'event', 'export', 'fails', 'feature', 'field', 'file', 'filter', 'flag', 'folder',
    'format', 'gateway', 'graph', 'handler', 'header', 'health', 'history', 'image', 'import',
    'index', 'invoice', 'item', 'job', 'journal', 'kernel', 'key', 'label', 'latency', 'layout',
    'ledger', 'library', 'limit', 'list', 'lock', 'login', 'machine', 'member', 'memory',
    'merge', 'message', 'metric', 'migration', 'mirror', 'module', 'needs', 'network', 'never',
    'nightly', 'node', 'object', 'option', 'order', 'owner', 'package', 'page', 'parser',
    'password', 'patch', 'payment', 'plan', 'planner', 'pool', 'port', 'process', 'profile',
    'proxy', 'query', 'queue', 'quota', 'reader', 'record', 'region', 'release', 'replica',
    'report', 'request', 'restart', 'retry', 'review', 'role', 'rollback', 'row', 'schema',
    'script', 'search', 'secret', 'server', 'service', 'session', 'shard', 'signal', 'slow',
    'snapshot', 'socket', 'source', 'sprint', 'stack', 'state', 'storage', 'story', 'stream',
    'string', 'table', 'task', 'template', 'tenant', 'test', 'thread', 'ticket', 'timeout',
    'token', 'tool', 'trace', 'transaction', 'trigger', 'tunnel', 'type', 'update', 'upload',
    'user', 'value', 'vector', 'version', 'volume', 'waits', 'warning', 'widget', 'window',
    'worker', 'writer', 'zone'
    ] as list) as words $f$;

-- Sentences to make texts of.
-- name: bench_data_sentences :exec
create temporary table sentence on commit drop as
select n as number, upper(left(words, 1)) || substr(words, 2) || '.' as text
  from generate_series(0, 1999) as n,
       lateral (select string_agg(pg_temp.word(pg_temp.hash('word' || n || '-', w / 3), w % 3), ' '
                                  order by w) as words
                  from generate_series(1, 7 + (n * 7) % 8) as w) as made;

-- name: bench_data_sentence_key :exec
create unique index on pg_temp.sentence (number);

-- Three at a time.
-- name: bench_data_paragraphs :exec
create temporary table paragraph on commit drop as
select a.number, a.text || ' ' || b.text || ' ' || c.text as text
  from sentence a
  join sentence b on b.number = (a.number * 7 + 1) % 2000
  join sentence c on c.number = (a.number * 11 + 5) % 2000;

-- name: bench_data_analyze :exec
analyze sentence, paragraph;

-- name: bench_data_text :exec
create function pg_temp.text(h bytea, k int) returns text language sql stable as $f$
  select text from pg_temp.sentence where number = pg_temp.roll(h, k, 2000) $f$;

-- ---- who and where ---------------------------------------------------------

-- name: bench_data_member_id :exec
create function pg_temp.member_id(i int) returns text language sql immutable as $f$
  select 'bench-' || lpad(i::text, 3, '0') $f$;

-- Ten members work on a project, each on about five.
-- name: bench_data_team :exec
create function pg_temp.team(project int, k int) returns text language sql stable as $f$
  select pg_temp.member_id((project * 7 + k * 13) % pg_temp.conf('members') + 1) $f$;

-- name: bench_data_project_key :exec
create function pg_temp.project_key(i int) returns text language sql immutable as $f$
  select 'B' || chr(65 + i / 26 % 26) || chr(65 + i % 26) || 'X' $f$;

-- name: bench_data_project_id :exec
create function pg_temp.project_id(i int) returns text language sql immutable as $f$
  select 'bench-' || lpad(i::text, 3, '0') $f$;

-- name: bench_data_sprint_id :exec
create function pg_temp.sprint_id(project int, n int) returns text language sql immutable as $f$
  select 'bench-' || lpad(project::text, 3, '0') || '-sprint-' || n $f$;

-- name: bench_data_members :exec
insert into gamify.member (id, name, email, role, metadata, created_at, updated_at)
select pg_temp.member_id(i),
       pg_temp.pick(h, 0, array['Ada', 'Alan', 'Ana', 'Barbara', 'Bjarne', 'Chen', 'Dennis', 'Edsger',
                             'Fatima', 'Grace', 'Hedy', 'Ivan', 'Joan', 'Ken', 'Linus',
                             'Margaret', 'Niklaus', 'Olga', 'Radia', 'Zoé'])
         || ' ' || pg_temp.pick(h, 1, array['Allen', 'Berg', 'Costa', 'Diaz', 'Evans', 'Fischer',
                                         'García', 'Hopper', 'Ito', 'Jansen', 'Kim', 'Lovelace',
                                         'Mora', 'Novak', 'Okafor', 'Perez', 'Rossi', 'Silva',
                                         'Turing', 'Weber'])
         || ' ' || i,
       'bench-' || i || '@example.com',
       case when i % 20 = 1 then 'lead' when i % 20 = 2 then 'scrum_master'
            when i % 20 = 3 then 'product_owner' else 'developer' end,
       jsonb_build_object('key_names', jsonb_build_array('key-' || i)),
       at, at
  from generate_series(1, pg_temp.conf('members')) as i,
       pg_temp.hash('member', i) as h,
       cast(pg_temp.today() - interval '300 days' as timestamptz) as at;

-- name: bench_data_projects :exec
insert into sprint.project (id, key, name, description, status, owner_id, color, metadata,
                            created_at, updated_at)
select pg_temp.project_id(i), pg_temp.project_key(i),
       initcap(pg_temp.pick(h, 0, array['apollo', 'borealis', 'cobalt', 'delta', 'ember', 'falcon',
                                     'granite', 'harbor', 'indigo', 'juniper'])) || ' ' || i,
       pg_temp.text(h, 1), case when i % 10 = 0 then 'paused' else 'active' end, pg_temp.team(i, 0),
       pg_temp.pick(h, 2, array['blue', 'green', 'red', 'amber']),
       jsonb_build_object('repo_url', 'https://example.com/bench/' || i), at, at
  from generate_series(1, pg_temp.conf('projects')) as i,
       pg_temp.hash('project', i) as h,
       cast(pg_temp.today() - i * interval '1 hour' as timestamptz) as at;

-- name: bench_data_keys :exec
insert into sprint.item_key (key, next)
select pg_temp.project_key(i), 2001 from generate_series(1, pg_temp.conf('projects')) as i;

-- ---- sprints and their items -----------------------------------------------

-- Twenty of 14 days in a row per project: the 19th runs today, the 20th is planned.
-- name: bench_data_sprints :exec
insert into sprint.sprint (id, name, goal, start_date, end_date, status, team_capacity, summary,
                           retrospective, created_by, project_id, metadata, completed_at,
                           created_at, updated_at)
select pg_temp.sprint_id(p, n), 'Sprint ' || n, pg_temp.text(h, 0), first, first + 13, status,
       60 + pg_temp.roll(h, 1, 60),
       case when n < 19 then pg_temp.text(h, 2) || ' ' || pg_temp.text(h, 3) end,
       case when n < 19 then pg_temp.text(h, 4) || ' ' || pg_temp.text(h, 5) end,
       pg_temp.team(p, 0), pg_temp.project_id(p), '{}',
       case when status = 'completed' then done end,
       (first - 14)::timestamp at time zone 'UTC',
       case when n < 19 then done else first::timestamp at time zone 'UTC' - interval '8 days' end
         + p * interval '1 second'
  from generate_series(1, pg_temp.conf('projects')) as p,
       generate_series(1, 20) as n,
       pg_temp.hash('sprint', p * 100 + n) as h,
       cast(pg_temp.today()::date - 7 - (19 - n) * 14 + p % 7 as date) as first,
       cast(case when n = 19 then 'active' when n = 20 then 'planned'
                 when pg_temp.roll(h, 6, 20) = 0 then 'cancelled' else 'completed' end as text)
         as status,
       cast((first + 13)::timestamp at time zone 'UTC'
            + case when pg_temp.roll(h, 7, 5) = 0 then interval '34 hours'
                   else interval '17 hours' end as timestamptz) as done;

-- A hundred in each; every 50th is an epic, and some of the others are its parts.
-- name: bench_data_items :exec
insert into sprint.work_item (id, title, description, type, status, priority, story_points,
                              sprint_id, project_id, assignee, reporter, labels, parent_id,
                              due_date, completed_at, metadata, blocked_since, created_at,
                              updated_at)
select key || '-' || place, rtrim(title.text, '.'), about.text, type, status,
       (array['critical', 'high', 'medium', 'medium', 'medium', 'low'])[1 + pg_temp.roll(h, 3, 6)],
       (array[1, 2, 3, 3, 5, 5, 8, 13, null])[1 + pg_temp.roll(h, 4, 9)],
       case when n = 20 and j > 90 then null else pg_temp.sprint_id(p, n) end,
       pg_temp.project_id(p),
       case when pg_temp.roll(h, 5, 20) > 0 then pg_temp.team(p, pg_temp.roll(h, 5, 9)) end,
       pg_temp.team(p, pg_temp.roll(h, 6, 10)),
       case when blocked then array['blocked'] else '{}' end
         || case when pg_temp.roll(h, 7, 3) = 0
                 then array[pg_temp.pick(h, 8, array['api', 'ui', 'docs', 'infra', 'debt',
                                                  'security', 'speed', 'customer'])]
                 else '{}' end,
       case when type <> 'epic' and pg_temp.roll(h, 9, 8) = 0
            then key || '-' || (place - 1) / 50 * 50 + 1 end,
       case when j % 5 = 0 then first + 13 end,
       case when status = 'done' then done end, '{}',
       case when blocked then today - (1 + pg_temp.roll(h, 8, 90)) * interval '1 hour' end,
       begun - interval '14 days' + j * interval '1 minute',
       least(done, today) + j * interval '1 millisecond'
  from generate_series(1, pg_temp.conf('projects')) as p
 cross join generate_series(1, 20) as n
 cross join generate_series(1, 100) as j
 cross join lateral cast((n - 1) * 100 + j as int) as place
 cross join lateral pg_temp.hash('item', p * 10000 + place) as h
  join sentence as title on title.number = pg_temp.roll(h, 0, 2000)
  join paragraph as about on about.number = pg_temp.roll(h, 1, 2000),
       pg_temp.project_key(p) as key,
       cast(pg_temp.today()::date - 7 - (19 - n) * 14 + p % 7 as date) as first,
       cast(first::timestamp at time zone 'UTC' as timestamptz) as begun,
       pg_temp.today() as today,
       cast(case when j % 50 = 1 then 'epic' when j % 10 in (2, 3) then 'bug'
                 when j % 10 in (4, 5, 6) then 'story' when j % 25 = 7 then 'spike'
                 else 'task' end as text) as type,
       cast(case when n = 20 then (array['backlog', 'backlog', 'todo'])[1 + j % 3]
                 when n = 19 then (array['done', 'done', 'done', 'in_progress', 'in_progress',
                                         'review', 'todo', 'todo', 'backlog', 'cancelled'])
                                  [1 + pg_temp.roll(h, 9, 10)]
                 when pg_temp.roll(h, 9, 100) < 86 then 'done'
                 when pg_temp.roll(h, 9, 100) < 95 then 'todo'
                 else 'cancelled' end as text) as status,
       cast(case when n = 19 then today - (1 + pg_temp.roll(h, 7, 10000)) * interval '1 minute'
                 else begun + pg_temp.roll(h, 7, 13 * 1440) * interval '1 minute' end
            as timestamptz) as done,
       cast(n = 19 and status in ('todo', 'in_progress') and pg_temp.roll(h, 8, 10) = 0 as bool)
         as blocked;

-- name: bench_data_velocity :exec
update sprint.sprint s
   set velocity = coalesce((select sum(w.story_points) from sprint.work_item w
                             where w.sprint_id = s.id and w.status = 'done'), 0)
 where s.status = 'completed' and s.id like 'bench-%';

-- name: bench_data_journal :exec
insert into sprint.work_item_change (work_item_id, at, actor, field, old_value, new_value)
select w.id, c.at, coalesce(w.assignee, 'default'), c.field, c.old_value, c.new_value
  from sprint.work_item w,
       lateral (values
         (w.created_at, 'status', 'backlog', 'todo'),
         (w.created_at + interval '1 day', 'assignee', null, w.assignee),
         (w.completed_at, 'status', 'todo', 'done')) as c (at, field, old_value, new_value)
 where w.project_id like 'bench-%' and c.at is not null
 order by c.at;

-- ---- conversations ---------------------------------------------------------

-- name: bench_data_said :exec
create temporary table said on commit drop as
select i, n, p.text
  from generate_series(1, pg_temp.conf('interactions')) as i
 cross join generate_series(1, 3) as n
  join paragraph p on p.number = pg_temp.roll(pg_temp.hash('message', i * 4 + n), 0, 2000);

-- Four of five are about an item, whose sprint they share.
-- name: bench_data_interactions :exec
insert into sprint.interaction (id, session_id, user_id, source, title, summary, decisions,
                                action_items, tools_used, sprint_id, work_item_id, tags,
                                message_count, metadata, created_at, updated_at, transcript)
select 'bench-' || i, 'bench-session-' || i / 5,
       pg_temp.team(p, pg_temp.roll(h, 0, 10)),
       (array['claude_code', 'claude_code', 'web_chat', 'api'])[1 + pg_temp.roll(h, 1, 4)],
       rtrim(title.text, '.'), summary.text,
       (array[d1.text, d2.text])[1:pg_temp.roll(h, 7, 3)],
       (array[d2.text, d1.text])[1:pg_temp.roll(h, 1, 3)],
       (array['mal_list_work_items', 'mal_get_sprint', 'mal_search_catalog', 'mal_get_skill',
              'mal_update_work_item', 'Bash', 'Read'])[1:pg_temp.roll(h, 4, 8)],
       w.sprint_id, w.id,
       array[pg_temp.pick(h, 5, array['planning', 'review', 'incident', 'design', 'pairing',
                                      'research']),
             pg_temp.pick(h, 6, array['backend', 'frontend', 'data', 'infra', 'docs'])],
       3, '{"model": "claude-sonnet-4-5"}', at, at, talk.text
  from (select i, string_agg(text, E'\n' order by n) as text from said group by i) as talk
 cross join lateral pg_temp.hash('interaction', i) as h
 cross join lateral cast(1 + pg_temp.roll(h, 7, pg_temp.conf('projects')) as int) as p
 cross join lateral cast(pg_temp.today() - i::float8 / pg_temp.conf('interactions')
                                           * interval '270 days' as timestamptz) as at
  join sentence as title on title.number = pg_temp.roll(h, 2, 2000)
  join paragraph as summary on summary.number = pg_temp.roll(h, 3, 2000)
  join sentence as d1 on d1.number = pg_temp.roll(h, 5, 2000)
  join sentence as d2 on d2.number = pg_temp.roll(h, 6, 2000)
  left join sprint.work_item w
    on i % 5 > 0 and w.id = pg_temp.project_key(p) || '-' || 1 + pg_temp.roll(h, 8, 2000)
 order by i;

-- name: bench_data_messages :exec
insert into sprint.interaction_message (interaction_id, position, role, content, token_count,
                                        created_at)
select t.id, n, (array['human', 'assistant', 'tool'])[n], text, length(text) / 4, t.created_at
  from said
  join sprint.interaction t on t.id = 'bench-' || i
 order by i, n;

-- name: bench_data_links :exec
insert into sprint.interaction_link (interaction_id, sprint_id, work_item_id)
select id, sprint_id, null from sprint.interaction
 where id like 'bench-%' and sprint_id is not null
 union all
select id, null, work_item_id from sprint.interaction
 where id like 'bench-%' and work_item_id is not null;

-- name: bench_data_decisions :exec
insert into sprint.decision (interaction_id, position, text, user_id, sprint_id, work_item_id,
                             created_at)
select i.id, d.n, d.text, i.user_id, i.sprint_id, i.work_item_id, i.created_at
  from sprint.interaction i, unnest(i.decisions) with ordinality as d (text, n)
 where i.id like 'bench-%'
 order by i.created_at;

-- ---- the ledger --------------------------------------------------------------

-- What earned points, before streaks.
-- name: bench_data_earned :exec
create temporary table earned on commit drop as
select w.assignee as user_id, 'work_item' as type, w.id::text as reference_id,
       10 * coalesce(w.story_points, 0) as base, null::text as description,
       w.project_id::text as project_id,
       jsonb_build_object('story_points', coalesce(w.story_points, 0), 'item_type', w.type)
         as metadata, w.completed_at as at
  from sprint.work_item w
 where w.status = 'done' and w.assignee is not null and w.project_id like 'bench-%'
 union all
select i.user_id, 'interaction', i.id,
       least(30, 5 + 3 * cardinality(i.tools_used)
                 + case when cardinality(i.decisions) > 0 then 5 else 0 end), i.title,
       coalesce(w.project_id::text, s.project_id),
       jsonb_build_object('tools_used', cardinality(i.tools_used),
                          'decisions', cardinality(i.decisions)), i.created_at
  from sprint.interaction i
  left join sprint.work_item w on w.id = i.work_item_id
  left join sprint.sprint s on s.id = i.sprint_id
 where i.id like 'bench-%'
 union all
select m.user_id, 'sprint', s.id,
       case when on_time then 50 else 0 end, null, s.project_id,
       jsonb_build_object('on_time', on_time, 'done_items', m.items, 'done_points', m.points,
                          'top_velocity', m.points > 0 and m.points = max(m.points)
                                            over (partition by s.id)), s.completed_at
  from sprint.sprint s,
       cast((s.completed_at at time zone 'UTC')::date <= s.end_date as bool) as on_time,
       lateral (select assignee as user_id, count(*) as items,
                       coalesce(sum(story_points), 0) as points
                  from sprint.work_item
                 where sprint_id = s.id and status = 'done' and assignee is not null
                 group by 1) as m
 where s.status = 'completed' and s.id like 'bench-%';

-- Commits and some reviews fill up to the number wanted.
-- name: bench_data_commits :exec
insert into earned
select pg_temp.team(p, pg_temp.roll(h, 1, 10)), case when review then 'review' else 'commit' end,
       case when review then 'review-' || i else left(encode(h, 'hex'), 40) end,
       case when review then least(30, 10 + 2 * pg_temp.roll(h, 2, 12))
            else least(50, 10 + (added + removed) / 100) end,
       rtrim(subject.text, '.'), pg_temp.project_id(p),
       case when review then jsonb_build_object('comments', pg_temp.roll(h, 2, 12))
            else jsonb_build_object('insertions', added, 'deletions', removed, 'files', files,
                   'date', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000Z"'),
                   'subject', rtrim(subject.text, '.'),
                   'areas', jsonb_build_object(pg_temp.pick(h, 8, array['frontend', 'backend',
                     'backend', 'devops', 'data', 'documentation']), files)) end, at
  from generate_series(1, pg_temp.conf('contributions') - (select count(*)::int from earned)) as i
 cross join lateral pg_temp.hash('commit', i) as h
  join sentence as subject on subject.number = pg_temp.roll(h, 3, 2000),
       cast(i % 8 = 0 as bool) as review,
       cast(1 + pg_temp.roll(h, 0, pg_temp.conf('projects')) as int) as p,
       cast(pg_temp.roll(h, 4, 400) as int) as added, cast(pg_temp.roll(h, 5, 200) as int) as removed,
       cast(1 + pg_temp.roll(h, 6, 5) as int) as files,
       cast(date_trunc('second', pg_temp.today()
            - (pg_temp.roll(h, 7, 270 * 1440)) * interval '1 minute') as timestamptz) as at;

-- The length of each member's run of days at each of their days.
-- name: bench_data_streaks :exec
create temporary table streak on commit drop as
select user_id, day,
       row_number() over (partition by user_id, day - n::int order by day)::int as length
  from (select user_id, day, row_number() over (partition by user_id order by day) as n
          from (select distinct user_id, (at at time zone 'UTC')::date as day from earned) d) r;

-- name: bench_data_ledger :exec
insert into gamify.contribution (user_id, type, reference_id, points, base_points,
                                 multiplier_percent, description, project_id, metadata,
                                 occurred_at, created_at)
select e.user_id, e.type, e.reference_id, e.base * percent / 100, e.base, percent, e.description,
       e.project_id, e.metadata, date_trunc('milliseconds', e.at),
       date_trunc('milliseconds', e.at)
  from earned e
  join streak s on s.user_id = e.user_id and s.day = (e.at at time zone 'UTC')::date,
       cast(100 + 10 * least(7, s.length) as int) as percent
 order by e.at, e.user_id, e.type, e.reference_id;

-- name: bench_data_tools :exec
insert into gamify.tool_use (user_key, tool_name, calls, first_at, last_at)
select 'key-' || i, tool, 1 + pg_temp.roll(h, 0, 500), at - interval '200 days', at
  from generate_series(1, pg_temp.conf('members')) as i,
       unnest(array['mal_list_skills', 'mal_get_skill', 'mal_search_catalog', 'mal_list_work_items',
                    'mal_get_work_item', 'mal_update_work_item', 'mal_get_sprint',
                    'mal_list_sprints', 'mal_log_interaction', 'mal_search_interactions',
                    'mal_get_leaderboard', 'mal_get_team_member', 'mal_get_skill_content',
                    'mal_get_usage_stats', 'mal_get_commit_activity', 'mal_list_projects'])
         with ordinality as t (tool, n),
       pg_temp.hash('tool', i * 100 + n) as h,
       pg_temp.today() as at
 where pg_temp.roll(h, 1, 4) > 0;

-- ---- what follows from it ------------------------------------------------------

-- name: bench_data_level :exec
create function pg_temp.level(xp int) returns int language sql immutable as $f$
  select case when xp <= 500 then greatest(1, (xp + 99) / 100)
              when xp <= 2000 then 5 + (xp - 500 + 299) / 300
              when xp <= 5000 then 10 + (xp - 2000 + 599) / 600
              when xp <= 10000 then 15 + (xp - 5000 + 999) / 1000
              else 20 + (xp - 10000 + 1999) / 2000 end $f$;

-- Counts reached; those of levels come after the XP of the others.
-- name: bench_data_badges :exec
insert into gamify.user_achievement (user_id, achievement_id, unlocked_at)
select t.user_id, a.id, pg_temp.today()
  from (select m.id as user_id, count(*) filter (where type = 'commit') as commits,
               count(*) filter (where type = 'interaction') as interactions,
               count(*) filter (where type = 'sprint') as sprints,
               count(*) filter (where type = 'sprint' and (e.metadata -> 'top_velocity')::bool)
                 as top_velocity,
               count(*) filter (where e.metadata ->> 'item_type' = 'bug') as bugs,
               coalesce(sum((e.metadata -> 'decisions')::int), 0) as decisions
          from gamify.member m
          left join earned e on e.user_id = m.id
         where m.id like 'bench-%'
         group by m.id) t
  join gamify.achievement a
    on a.criteria ->> 'count' ~ '^[0-9]{1,9}$'
   and case a.criteria ->> 'type'
         when 'commit' then t.commits
         when 'interaction' then t.interactions
         when 'sprint_completed' then t.sprints
         when 'sprint_top_velocity' then t.top_velocity
         when 'bug_closed' then t.bugs
         when 'decisions_logged' then t.decisions
         when 'streak_days' then (select max(s.length) from streak s where s.user_id = t.user_id)
         when 'unique_tools' then (select count(*) from gamify.tool_use u
                                    where u.user_key = 'key-' || substr(t.user_id, 7)::int)
       end >= (a.criteria ->> 'count')::int
 order by t.user_id, a.id;

-- name: bench_data_badges_by_level :exec
insert into gamify.user_achievement (user_id, achievement_id, unlocked_at)
select x.user_id, a.id, pg_temp.today()
  from (select t.user_id,
               (select sum(c.points) from gamify.contribution c where c.user_id = t.user_id)
                 + coalesce((select sum(a.xp_reward) from gamify.user_achievement u
                               join gamify.achievement a on a.id = u.achievement_id
                              where u.user_id = t.user_id), 0) as xp
          from (select distinct user_id from earned) t) x
  join gamify.achievement a on a.criteria ->> 'type' = 'level_reached'
   and a.criteria ->> 'count' ~ '^[0-9]{1,9}$'
   and pg_temp.level(x.xp::int) >= (a.criteria ->> 'count')::int;

-- name: bench_data_rewards :exec
insert into gamify.contribution (user_id, type, reference_id, points, base_points,
                                 multiplier_percent, description, metadata, occurred_at,
                                 created_at)
select u.user_id, 'achievement', a.id, a.xp_reward, a.xp_reward, 100, a.name, '{}',
       u.unlocked_at, u.unlocked_at
  from gamify.user_achievement u
  join gamify.achievement a on a.id = u.achievement_id
 where u.user_id like 'bench-%'
 order by u.id;

-- name: bench_data_standings :exec
update gamify.member m
   set xp = s.xp, level = pg_temp.level(s.xp), streak_days = coalesce(last.length, 0),
       streak_last_date = last.day
  from (select user_id, sum(points)::int as xp from gamify.contribution group by user_id) s
  left join (select distinct on (user_id) user_id, day, length
               from streak order by user_id, day desc) last using (user_id)
 where s.user_id = m.id and m.id like 'bench-%';

-- name: bench_data_recount :exec
call gamify.recount();

-- ---- the catalog -------------------------------------------------------------------

-- name: bench_data_skills :exec
insert into catalog.skill (id, name, description, version, category, trigger_patterns, asset_path,
                           author, tags, created_at, updated_at, content, content_sha256)
select 'bench-skill-' || i, rtrim(pg_temp.text(h, 0), '.'), about.text, '1.0.0',
       pg_temp.pick(h, 1, array['data', 'document', 'devops', 'frontend', 'design', 'custom']),
       array[pg_temp.word(h, 2)], 'skills/bench-skill-' || i || '/SKILL.md',
       pg_temp.member_id(1 + pg_temp.roll(h, 3, pg_temp.conf('members'))),
       array[pg_temp.pick(h, 4, array['backend', 'frontend', 'data', 'infra', 'docs'])], at, at,
       content.text, encode(sha256(convert_to(content.text, 'UTF8')), 'hex')
  from generate_series(1, pg_temp.conf('skills')) as i
 cross join lateral pg_temp.hash('skill', i) as h
 cross join lateral cast(pg_temp.today() - i * interval '1 hour' as timestamptz) as at
  join paragraph as about on about.number = pg_temp.roll(h, 5, 2000)
  join paragraph as content on content.number = pg_temp.roll(h, 6, 2000)
 order by i;

-- name: bench_data_commands :exec
insert into catalog.command (id, name, description, author, tags, category, shell, script_template,
                             created_at, updated_at)
select 'bench-command-' || i, rtrim(pg_temp.text(h, 0), '.'), pg_temp.text(h, 1),
       pg_temp.member_id(1 + pg_temp.roll(h, 2, pg_temp.conf('members'))),
       array[pg_temp.pick(h, 3, array['backend', 'frontend', 'data', 'infra', 'docs'])],
       pg_temp.pick(h, 4, array['git', 'database', 'deploy', 'test', 'report']), 'bash', 'true',
       at, at
  from generate_series(1, pg_temp.conf('commands')) as i,
       pg_temp.hash('command', i) as h,
       cast(pg_temp.today() - i * interval '2 hours' as timestamptz) as at;

-- name: bench_data_subagents :exec
insert into catalog.subagent (id, name, description, author, tags, system_prompt, model,
                              created_at, updated_at)
select 'bench-subagent-' || i, rtrim(pg_temp.text(h, 0), '.'), pg_temp.text(h, 1),
       pg_temp.member_id(1 + pg_temp.roll(h, 2, pg_temp.conf('members'))),
       array[pg_temp.pick(h, 3, array['backend', 'frontend', 'data', 'infra', 'docs'])],
       pg_temp.text(h, 4), 'claude-sonnet-4-5', at, at
  from generate_series(1, pg_temp.conf('subagents')) as i,
       pg_temp.hash('subagent', i) as h,
       cast(pg_temp.today() - i * interval '4 hours' as timestamptz) as at;

-- ---- the log of calls ------------------------------------------------------------

-- name: bench_data_calls :exec
insert into catalog.usage_log (event_id, tool_name, resource_id, user_key, "timestamp",
                               duration_ms, success, status, channel, request_id)
select encode(substr(h, 1, 16), 'hex')::uuid, tool,
       case when tool = 'mal_get_skill'
            then 'bench-skill-' || 1 + pg_temp.roll(h, 5, pg_temp.conf('skills')) end,
       'key-' || 1 + pg_temp.roll(h, 1, pg_temp.conf('members')),
       pg_temp.today()
         - (pg_temp.conf('calls') - i)::float8 / pg_temp.conf('calls') * interval '90 days',
       1 + pg_temp.roll(h, 2, 40), ok, case when ok then 'ok' else 'not_found' end,
       (array['mcp', 'mcp', 'mcp', 'rest'])[1 + pg_temp.roll(h, 3, 4)], 'bench-' || i
  from generate_series(1, pg_temp.conf('calls')) as i,
       pg_temp.hash('call', i) as h,
       pg_temp.pick(h, 0, array['mal_list_skills', 'mal_get_skill', 'mal_search_catalog',
                                'mal_list_work_items', 'mal_get_work_item',
                                'mal_update_work_item', 'mal_get_sprint', 'mal_list_sprints',
                                'mal_log_interaction', 'mal_search_interactions',
                                'mal_get_leaderboard']) as tool,
       cast(pg_temp.roll(h, 4, 50) > 0 as bool) as ok;

-- ---- checks ----------------------------------------------------------------------

-- Whether it is there already.
-- name: bench_data_present :text
select exists (select from gamify.member where id = 'bench-001');

-- name: bench_data_counts :rows
select (select count(*) from gamify.member where id like 'bench-%') as members,
       (select count(*) from sprint.project where id like 'bench-%') as projects,
       (select count(*) from sprint.sprint where id like 'bench-%') as sprints,
       (select count(*) from sprint.work_item where project_id like 'bench-%') as work_items,
       (select count(*) from gamify.contribution where user_id like 'bench-%') as contributions,
       (select count(*) from sprint.interaction where id like 'bench-%') as interactions,
       (select md5(string_agg(line, ',' order by line)) from (
          select md5(string_agg(w::text, ',' order by w.id)) as line from sprint.work_item w
           where w.project_id like 'bench-%'
          union all
          select md5(string_agg(concat_ws('|', c.user_id, c.type, c.reference_id, c.points,
                                          c.occurred_at), ',' order by c.id))
            from gamify.contribution c where c.user_id like 'bench-%'
          union all
          select md5(string_agg(concat_ws('|', i.id, i.user_id, i.work_item_id, i.transcript), ','
                                order by i.id)) from sprint.interaction i
           where i.id like 'bench-%') as lines) as checksum;
