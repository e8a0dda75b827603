-- The game: members, the ledger of their contributions, achievements, and the use
-- of tools. The schema with its outbox and inbox is made before this runs.

create domain gamify.slug as text
  check (value ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(value) <= 64);

create table gamify.member (
  id               gamify.slug primary key,
  name             text not null,
  email            text,
  avatar_url       text,
  role             text not null default 'developer' check (role in
                     ('developer', 'lead', 'scrum_master', 'product_owner')),
  metadata         jsonb not null default '{}',
  xp               int not null default 0 check (xp >= 0),
  level            int not null default 1 check (level >= 1),
  streak_days      int not null default 0 check (streak_days >= 0),
  streak_last_date date,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now()
);
create unique index member_email on gamify.member (lower(email));
create index member_rank on gamify.member (xp desc, id);

create table gamify.contribution (
  id                 bigint generated always as identity primary key,
  user_id            gamify.slug not null references gamify.member on delete cascade,
  type               text not null check (type in
                       ('commit', 'interaction', 'work_item', 'review', 'sprint',
                        'achievement')),
  reference_id       text,
  points             int not null check (points >= 0),
  base_points        int not null check (base_points >= 0),
  multiplier_percent int not null check (multiplier_percent between 100 and 170),
  description        text,
  project_id         gamify.slug,
  metadata           jsonb not null default '{}',
  occurred_at        timestamptz not null,
  reversed_at        timestamptz,
  created_at         timestamptz not null default now()
);
create unique index contribution_once on gamify.contribution (user_id, type, reference_id)
  where reversed_at is null and reference_id is not null;
create index contribution_reference on gamify.contribution (type, reference_id)
  where reversed_at is null and reference_id is not null;
create index contribution_user on gamify.contribution (user_id, occurred_at desc);
create index contribution_type on gamify.contribution (type);
create index contribution_project on gamify.contribution (project_id, occurred_at);

create table gamify.achievement (
  id          gamify.slug primary key,
  name        text not null,
  description text not null,
  icon        text not null,
  category    text not null default 'code' check (category in
                ('code', 'collaboration', 'agile', 'exploration', 'mastery')),
  tier        text not null default 'bronze' check (tier in
                ('bronze', 'silver', 'gold', 'platinum')),
  xp_reward   int not null default 10 check (xp_reward >= 0),
  criteria    jsonb not null,
  created_at  timestamptz not null default now()
);

create table gamify.user_achievement (
  id             bigint generated always as identity primary key,
  user_id        gamify.slug not null references gamify.member on delete cascade,
  achievement_id gamify.slug not null references gamify.achievement on delete cascade,
  unlocked_at    timestamptz not null,
  unique (user_id, achievement_id)
);
create index user_achievement_user on gamify.user_achievement (user_id);

create table gamify.tool_use (
  user_key  text not null,
  tool_name text not null,
  calls     int not null,
  first_at  timestamptz not null,
  last_at   timestamptz not null,
  primary key (user_key, tool_name)
);
create index tool_use_key on gamify.tool_use (lower(user_key));

-- Sums over the ledger, kept in the transaction of each award and reversal, so
-- that no reader adds up a table that grows: unreversed contributions only.

-- What a member's contributions come to: how many of each kind, the longest run
-- of days, files of commits by area.
create table gamify.tally (
  user_id       gamify.slug primary key references gamify.member on delete cascade,
  commits       int not null default 0,
  interactions  int not null default 0,
  sprints       int not null default 0,
  top_velocity  int not null default 0,
  bugs          int not null default 0,
  decisions     int not null default 0,
  longest_run   int not null default 0,
  frontend      int not null default 0,
  backend       int not null default 0,
  devops        int not null default 0,
  data          int not null default 0,
  documentation int not null default 0
);

-- Points of a member's UTC day in a project ('' = none); achievements give
-- points, but do not count as contributions of the day.
create table gamify.day_points (
  user_id       gamify.slug not null references gamify.member on delete cascade,
  day           date not null,
  project_id    text not null default '',
  points        int not null,
  contributions int not null check (contributions >= 0),
  primary key (user_id, day, project_id)
);
create index day_points_window on gamify.day_points (day, project_id) include (user_id, points);

-- Points of a member in a project, over all time.
create table gamify.project_points (
  project_id gamify.slug not null,
  user_id    gamify.slug not null references gamify.member on delete cascade,
  points     int not null,
  primary key (project_id, user_id)
);

-- A figure of a contribution: a number, or the length of a list.
create function gamify.figure(metadata jsonb, key text) returns int
  language sql immutable parallel safe as $$
  select case jsonb_typeof(metadata -> key)
           when 'number' then (metadata ->> key)::numeric::int
           when 'array' then jsonb_array_length(metadata -> key)
           else 0
         end $$;

-- Makes the sums anew from the ledger, which must not change meanwhile.
create procedure gamify.recount() language sql as $$
  delete from gamify.day_points;
  insert into gamify.day_points
  select user_id, (occurred_at at time zone 'UTC')::date, coalesce(project_id, ''), sum(points),
         count(*) filter (where type <> 'achievement')
    from gamify.contribution
   where reversed_at is null
   group by 1, 2, 3
  having sum(points) <> 0 or count(*) filter (where type <> 'achievement') <> 0;
  delete from gamify.tally;
  insert into gamify.tally
  select m.id, coalesce(s.commits, 0), coalesce(s.interactions, 0), coalesce(s.sprints, 0),
         coalesce(s.top_velocity, 0), coalesce(s.bugs, 0), coalesce(s.decisions, 0),
         coalesce(r.days, 0), coalesce(s.frontend, 0), coalesce(s.backend, 0), coalesce(s.devops, 0),
         coalesce(s.data, 0), coalesce(s.documentation, 0)
    from gamify.member m
    left join (
      select user_id,
             count(*) filter (where type = 'commit') as commits,
             count(*) filter (where type = 'interaction') as interactions,
             count(*) filter (where type = 'sprint') as sprints,
             count(*) filter (where type = 'sprint' and metadata -> 'top_velocity' = 'true')
               as top_velocity,
             count(*) filter (where type = 'work_item' and metadata ->> 'item_type' = 'bug')
               as bugs,
             sum(gamify.figure(metadata, 'decisions')) filter (where type = 'interaction')
               as decisions,
             sum(gamify.figure(metadata -> 'areas', 'frontend')) filter (where type = 'commit')
               as frontend,
             sum(gamify.figure(metadata -> 'areas', 'backend')) filter (where type = 'commit')
               as backend,
             sum(gamify.figure(metadata -> 'areas', 'devops')) filter (where type = 'commit')
               as devops,
             sum(gamify.figure(metadata -> 'areas', 'data')) filter (where type = 'commit')
               as data,
             sum(gamify.figure(metadata -> 'areas', 'documentation'))
               filter (where type = 'commit') as documentation
        from gamify.contribution
       where reversed_at is null
       group by user_id) s on s.user_id = m.id
    left join (
      select user_id, max(days) as days
        from (select user_id, count(*) as days
                from (select user_id,
                             day - (row_number() over (partition by user_id order by day))::int
                               as begin
                        from gamify.day_points
                       where contributions > 0
                       group by user_id, day) d
               group by user_id, begin) runs
       group by user_id) r on r.user_id = m.id;
  delete from gamify.project_points;
  insert into gamify.project_points
  select project_id, user_id, sum(points)
    from gamify.contribution
   where reversed_at is null and project_id is not null
   group by 1, 2
  having sum(points) <> 0;
$$;
