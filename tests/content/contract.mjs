// What the starter catalog has to hold: ids, names and values as the contract of the hub lists them.

export const counts = { mcps: 6, skills: 14, commands: 14, subagents: 5, achievements: 14 };

export const skills = {
  "docker-compose-patterns": ["Docker Compose Patterns", "devops"],
  "gcp-cloud-run-deploy": ["GCP Cloud Run Deployment", "devops"],
  "ci-cd-pipeline": ["CI/CD Pipeline Guide", "devops"],
  "react-patterns": ["Modern React Patterns", "frontend"],
  "tailwind-design-system": ["Tailwind Design System", "frontend"],
  "vite-optimization": ["Vite Build Optimization", "frontend"],
  "mcp-tool-development": ["MCP Tool Development", "data"],
  "api-design-rest": ["REST API Design", "data"],
  "sqlite-patterns": ["SQLite Best Practices", "data"],
  "code-review-checklist": ["Code Review Checklist", "document"],
  "technical-writing": ["Technical Writing Standards", "document"],
  "sprint-planning-guide": ["Sprint Planning Guide", "document"],
  "team-onboarding": ["Team Onboarding", "custom"],
  "git-workflow-mal": ["MAL Git Workflow", "custom"],
};

// name, category, needs confirmation, parameters: "name*" is required, "name=value" has a default, ":type" if no string.
export const commands = {
  "start-dev-stack": ["Start Dev Stack", "devops", false, "project_root* mcp_api_key*"],
  "run-all-tests": ["Run All Tests", "devops", false, "project_root*"],
  "health-check-all": ["Health Check All", "devops", false, "host=127.0.0.1 frontend_port:number=80"],
  "docker-build": ["Docker Build", "devops", true, "project_root* tag=latest"],
  "deploy-cloud-run": ["Deploy to Cloud Run", "devops", true,
    "project_root* project_id* region=us-central1 tag=latest"],
  "git-log-pretty": ["Pretty Git Log", "git", false, "repo_path=. count:number=20"],
  "create-feature-branch": ["Create Feature Branch", "git", false, "repo_path=. id* description*"],
  "git-branch-cleanup": ["Clean Merged Branches", "git", true, "repo_path=."],
  "git-activity-report": ["Git Activity Report", "git", false, "repo_path=. days:number=7"],
  "sqlite-backup": ["SQLite Backup", "database", false, "db_path*"],
  "seed-catalog": ["Seed Catalog", "database", false, "project_root* env:enum(dev,prod)=dev"],
  "reset-db": ["Reset Database", "database", true, "db_path* schema_path*"],
  "lint-all": ["Lint All Projects", "development", false, "project_root*"],
  "generate-api-docs": ["Generate API Docs", "development", false,
    "host=127.0.0.1 port:number=3000 output_path=api.md"],
};

export const model = "claude-sonnet-4-5-20250929";

export const subagents = {
  "code-reviewer": ["Code Reviewer", 10, "mal_search_catalog mal_get_skill_content"],
  "sprint-planner": ["Sprint Planner", 8, "mal_list_work_items mal_get_sprint mal_list_interactions"],
  "documentation-writer": ["Documentation Writer", 10,
    "mal_search_catalog mal_get_skill_content mal_list_skills"],
  "bug-analyzer": ["Bug Analyzer", 8, "mal_search_catalog mal_search_interactions mal_get_command"],
  "test-generator": ["Test Generator", 10, "mal_search_catalog mal_get_skill_content mal_get_command"],
};

const browser = ("navigate navigate_back click type fill_form select_option hover drag press_key snapshot " +
  "take_screenshot evaluate wait_for tabs console_messages network_requests file_upload handle_dialog resize close")
  .split(" ").map((word) => `browser_${word}`).join(" ");

// name, author, how it is reached, tools exposed, variables that the operator provides.
export const mcps = {
  context7: ["Context7", "Upstash", "https://mcp.context7.com/mcp", "resolve-library-id query-docs", ""],
  playwright: ["Playwright MCP", "Microsoft", "npx -y @playwright/mcp@latest --headless", browser, ""],
  github: ["GitHub MCP", "GitHub",
    "docker run -i --rm -e GITHUB_PERSONAL_ACCESS_TOKEN ghcr.io/github/github-mcp-server", "",
    "GITHUB_PERSONAL_ACCESS_TOKEN"],
  memory: ["Memory", "Model Context Protocol", "npx -y @modelcontextprotocol/server-memory",
    "create_entities create_relations add_observations delete_entities delete_observations delete_relations " +
    "read_graph search_nodes open_nodes", ""],
  "sequential-thinking": ["Sequential Thinking", "Model Context Protocol",
    "npx -y @modelcontextprotocol/server-sequential-thinking", "sequentialthinking", ""],
  "brave-search": ["Brave Search", "Brave", "npx -y @brave/brave-search-mcp-server",
    "brave_web_search brave_local_search brave_video_search brave_image_search brave_news_search brave_summarizer",
    "BRAVE_API_KEY"],
};

export const rewards = { bronze: 10, silver: 25, gold: 50, platinum: 100 };

// id, name, icon, tier, category, type, count, description; in this order.
export const achievements = [
  ["first-commit", "First Commit", "🏗️", "bronze", "code", "commit", 1, "Make a first commit."],
  ["ten-commits", "Consistent Coder", "💻", "silver", "code", "commit", 10, "Make 10 commits."],
  ["hundred-commits", "Code Machine", "⚡", "gold", "code", "commit", 100, "Make 100 commits."],
  ["first-chat", "Conversationalist", "💬", "bronze", "collaboration", "interaction", 1, "Log a first conversation."],
  ["fifty-chats", "Knowledge Seeker", "📚", "silver", "collaboration", "interaction", 50, "Log 50 conversations."],
  ["tool-explorer", "Tool Explorer", "🔧", "silver", "exploration", "unique_tools", 10,
    "Use 10 different tools of the hub."],
  ["tool-master", "Tool Master", "🛠️", "gold", "exploration", "unique_tools", "all", "Use every tool of the hub."],
  ["sprint-runner", "Sprint Runner", "🏃", "bronze", "agile", "sprint_completed", 1, "Complete a sprint."],
  ["sprint-champion", "Sprint Champion", "🏆", "gold", "agile", "sprint_top_velocity", 3,
    "Finish most points in 3 sprints."],
  ["bug-slayer", "Bug Slayer", "🐛", "silver", "code", "bug_closed", 10, "Close 10 bugs."],
  ["on-fire", "On Fire", "🔥", "gold", "mastery", "streak_days", 7, "Contribute on 7 days in a row."],
  ["unstoppable", "Unstoppable", "💎", "platinum", "mastery", "streak_days", 30, "Contribute on 30 days in a row."],
  ["decision-maker", "Decision Maker", "🎯", "silver", "collaboration", "decisions_logged", 20,
    "Record 20 decisions."],
  ["architect", "Architect", "👑", "platinum", "mastery", "level_reached", 20, "Reach level 20."],
];
