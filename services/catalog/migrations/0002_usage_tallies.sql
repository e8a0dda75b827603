-- How many calls the log has and how long they took, kept beside it so that
-- nobody counts it (decision 15). Triggers keep them, in the transaction that
-- writes the log, whatever writes it.

-- Calls by day. The empty name stands for all, so that each mix of filters is one
-- row a day.
create table catalog.usage_day (
  tool_name text not null,
  user_key  text not null,
  day       date not null,
  calls     bigint not null,
  errors    bigint not null,
  primary key (tool_name, user_key, day)
) with (fillfactor = 80);

-- Durations by hour and, once more, by day.
create table catalog.usage_time (
  unit        text not null check (unit in ('hour', 'day')),
  at          timestamptz not null,
  tool_name   text not null,
  duration_ms int not null, -- as usage_step says
  calls       bigint not null,
  errors      bigint not null,
  total_ms    bigint not null,
  primary key (unit, at, tool_name, duration_ms)
) with (fillfactor = 80);

-- Durations are told apart to the millisecond below a second, and above it by
-- three digits (from 1,000 s on by 10 s), rounded up: what 95 % do not exceed,
-- they do not exceed then.
create function catalog.usage_step(ms int) returns int
  language sql immutable parallel safe as $$
  select case when ms < 1000 then ms
              when ms < 10000 then (ms + 9) / 10 * 10
              when ms < 100000 then (ms + 99) / 100 * 100
              when ms < 1000000 then (ms + 999) / 1000 * 1000
              else least((ms + 9999::bigint) / 10000 * 10000, 2147483647)::int end $$;

-- The log by what usage_day and usage_time tell apart.
create procedure catalog.usage_recount() language sql as $$
  delete from catalog.usage_day;
  insert into catalog.usage_day
  select coalesce(tool_name, ''), coalesce(user_key, ''), day, count(*),
         count(*) filter (where not success)
    from (select *, ("timestamp" at time zone 'UTC')::date as day from catalog.usage_log) l
   group by day, cube (tool_name, user_key)
  having tool_name is distinct from '' and user_key is distinct from '';
  delete from catalog.usage_time;
  insert into catalog.usage_time
  select unit, date_trunc(unit, "timestamp", 'UTC'), tool_name, catalog.usage_step(duration_ms),
         count(*), count(*) filter (where not success), sum(duration_ms)
    from catalog.usage_log, (values ('hour'), ('day')) u (unit)
   group by 1, 2, 3, 4;
$$;

-- Adds what a statement wrote, or takes it away: the argument is 1 or -1. All
-- lock the rows in the same order.
create function catalog.usage_changes() returns trigger language plpgsql as $$
declare
  sign int := tg_argv[0];
begin
  insert into catalog.usage_day as t
  select coalesce(tool_name, ''), coalesce(user_key, ''), day, sign * sum(calls),
         sign * sum(errors)
    from (select tool_name, user_key, ("timestamp" at time zone 'UTC')::date as day,
                 count(*) as calls, count(*) filter (where not success) as errors
            from entries
           group by 1, 2, 3) e
   group by day, cube (tool_name, user_key)
  having tool_name is distinct from '' and user_key is distinct from ''
   order by 1, 2, 3
  on conflict (tool_name, user_key, day) do update
     set calls = t.calls + excluded.calls, errors = t.errors + excluded.errors;
  insert into catalog.usage_time as t
  select unit, date_trunc(unit, hour, 'UTC'), tool_name, step, sign * sum(calls),
         sign * sum(errors), sign * sum(total_ms)
    from (select date_trunc('hour', "timestamp", 'UTC') as hour, tool_name,
                 catalog.usage_step(duration_ms) as step, count(*) as calls,
                 count(*) filter (where not success) as errors, sum(duration_ms) as total_ms
            from entries
           group by 1, 2, 3) e, (values ('hour'), ('day')) u (unit)
   group by 1, 2, 3, 4
   order by 1, 2, 3, 4
  on conflict (unit, at, tool_name, duration_ms) do update
     set calls = t.calls + excluded.calls, errors = t.errors + excluded.errors,
         total_ms = t.total_ms + excluded.total_ms;
  return null;
end $$;

create function catalog.usage_gone() returns trigger language plpgsql as $$
begin
  truncate catalog.usage_day, catalog.usage_time;
  return null;
end $$;

create trigger usage_log_added after insert on catalog.usage_log
  referencing new table as entries for each statement execute function catalog.usage_changes('1');
create trigger usage_log_changed_from after update on catalog.usage_log
  referencing old table as entries for each statement execute function catalog.usage_changes('-1');
create trigger usage_log_changed_to after update on catalog.usage_log
  referencing new table as entries for each statement execute function catalog.usage_changes('1');
create trigger usage_log_removed after delete on catalog.usage_log
  referencing old table as entries for each statement execute function catalog.usage_changes('-1');
create trigger usage_log_emptied after truncate on catalog.usage_log
  for each statement execute function catalog.usage_gone();

-- The calls since then by duration, from as few rows as tell it: whole days, the
-- hours of the first day, and of its first hour the calls themselves. Without
-- whole days they can be put into hours.
create function catalog.usage_since(since timestamptz, whole_days bool)
  returns table (at timestamptz, tool_name text, duration_ms int, calls bigint, errors bigint,
                 total_ms bigint)
  language sql stable parallel safe as $$
  select t.at, t.tool_name, t.duration_ms, t.calls, t.errors, t.total_ms
    from catalog.usage_time t
   where whole_days and t.unit = 'day'
     and t.at >= date_trunc('day', since + interval '1 hour', 'UTC') + interval '1 day'
  union all
  select t.at, t.tool_name, t.duration_ms, t.calls, t.errors, t.total_ms
    from catalog.usage_time t
   where t.unit = 'hour'
     and t.at >= date_trunc('hour', since, 'UTC') + interval '1 hour'
     and (not whole_days
          or t.at < date_trunc('day', since + interval '1 hour', 'UTC') + interval '1 day')
  union all
  select l."timestamp", l.tool_name, catalog.usage_step(l.duration_ms), 1, (not l.success)::int,
         l.duration_ms
    from catalog.usage_log l
   where l."timestamp" >= since
     and l."timestamp" < date_trunc('hour', since, 'UTC') + interval '1 hour' $$;

-- Beyond the contract: calls on one thing, and the failed ones.
create index usage_log_resource on catalog.usage_log (resource_id, "timestamp" desc, id desc)
  where resource_id is not null;
create index usage_log_failed on catalog.usage_log ("timestamp" desc, id desc) where not success;

call catalog.usage_recount();
