-- Names in the log are keys: compared byte by byte, not by the rules of a
-- language, which cost a quarter of a batch of different calls where the server
-- has some (decision 15). And no newer edition of the language breaks an index.
alter table catalog.usage_log
  alter tool_name type text collate "C",
  alter resource_id type text collate "C",
  alter user_key type text collate "C";
alter table catalog.usage_day
  alter tool_name type text collate "C",
  alter user_key type text collate "C";
alter table catalog.usage_time
  alter tool_name type text collate "C";

-- Statistics of these columns were forgotten by that.
analyze catalog.usage_log, catalog.usage_day, catalog.usage_time;
