package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"octopus/server/auth"
)

// tags group the routes in the document.
var tags = []*huma.Tag{
	{Name: "Runs", Description: "Start something, wait for it, cancel it, run it again."},
	{Name: "Executions", Description: "One agent's share of a run: status, log, result."},
	{Name: "Tasks", Description: "Saved definitions of work."},
	{Name: "Agents", Description: "Registered machines, and the tokens with which they enrol. Also under /clients."},
	{Name: "Plugins", Description: "What can run, and what it was granted."},
	{Name: "Users", Description: "People and their API tokens."},
	{Name: "Secrets", Description: "What plugins may use where a grant binds it."},
	{Name: "System", Description: "Overview, events, caches, health."},
}

// routes is the table of contents: what is answered, what the caller must be allowed, and by whom it is done.
func (a *API) routes(h huma.API) {
	a.runRoutes(group{a, h, "Runs"})
	a.executionRoutes(group{a, h, "Executions"})
	a.taskRoutes(group{a, h, "Tasks"})
	a.agentRoutes(group{a, h, "Agents"}, "/agents", "agent")
	a.agentRoutes(group{a, h, "Agents"}, "/clients", "client")
	a.pluginRoutes(group{a, h, "Plugins"})
	a.reviewRoutes(group{a, h, "Plugins"})
	a.userRoutes(group{a, h, "Users"})
	a.secretRoutes(group{a, h, "Secrets"})
	a.systemRoutes(group{a, h, "System"})
}

func (a *API) runRoutes(g group) {
	route(g, "POST", "/runs", auth.RunAdhoc, "start-run", "Run a plugin now", a.startRun, http.StatusCreated)
	route(g, "GET", "/runs", auth.Read, "list-runs", "List runs, newest first", a.listRuns)
	route(g, "GET", "/runs/{id}", auth.Read, "get-run", "Read a run; with wait, when it has ended", a.getRun)
	route(g, "GET", "/runs/{id}/executions", auth.Read, "list-run-executions", "List the executions of a run, failures first", a.listRunExecutions)
	route(g, "POST", "/runs/{id}/cancel", auth.RunTask, "cancel-run", "Cancel what has not ended", a.cancelRun)
	route(g, "POST", "/runs/{id}/force-close", auth.RunTask, "force-close-run", "End what has not ended now, without its agents", a.forceCloseRun)
	route(g, "POST", "/runs/{id}/retry", auth.RunTask, "retry-run", "Run it again, all of it or what failed", a.retryRun, http.StatusCreated)
}

func (a *API) executionRoutes(g group) {
	route(g, "GET", "/executions", auth.Read, "list-executions", "List executions, newest first", a.listExecutions)
	route(g, "GET", "/executions/{id}", auth.Read, "get-execution", "Read an execution; with wait, when it has ended", a.getExecution)
	route(g, "GET", "/executions/{id}/events", auth.Read, "list-execution-events", "Read the timeline", a.listExecutionEvents)
	route(g, "GET", "/executions/{id}/explain", auth.Read, "explain-execution", "Say why it is where it is: step by step, and of each agent why it does not run there", a.explainExecution)
	route(g, "GET", "/executions/{id}/results", auth.Read, "list-execution-results", "Read the named results (db operations)", a.listExecutionResults)
	route(g, "GET", "/executions/{id}/logs", auth.Read, "read-logs", "Read or follow the log: JSON lines, server-sent events or text", a.readLogs)
	route(g, "GET", "/executions/{id}/logs.txt", auth.Read, "download-logs", "Download the log as text", a.downloadLogs)
	route(g, "GET", "/executions/{id}/result", auth.Read, "download-result", "Download the result as JSON or CSV", a.downloadResult)
	route(g, "GET", "/executions/{id}/artifacts", auth.Read, "list-artifacts", "List the files that its attempts left behind", a.listArtifacts)
	route(g, "GET", "/executions/{id}/artifacts/{name}", auth.Read, "download-artifact", "Download one of the files", a.downloadArtifact)
	route(g, "POST", "/executions/{id}/cancel", auth.RunTask, "cancel-execution", "Ask it to end", a.cancelExecution)
	route(g, "POST", "/executions/{id}/force-close", auth.RunTask, "force-close-execution", "End it now, without its agent", a.forceClose)
	route(g, "POST", "/executions/{id}/retry", auth.RunTask, "retry-execution", "Run it again, as a new run", a.retryExecution, http.StatusCreated)
}

func (a *API) taskRoutes(g group) {
	route(g, "GET", "/tasks", auth.Read, "list-tasks", "List tasks by name", a.listTasks)
	route(g, "POST", "/tasks", auth.TaskEdit, "create-task", "Save a task", a.createTask, http.StatusCreated)
	route(g, "GET", "/tasks/{id}", auth.Read, "get-task", "Read a task", a.getTask)
	route(g, "PATCH", "/tasks/{id}", auth.TaskEdit, "update-task", "Change a task (merge patch)", a.updateTask)
	route(g, "DELETE", "/tasks/{id}", auth.TaskEdit, "delete-task", "Delete a task; its runs stay, and restore brings it back", a.deleteTask, http.StatusNoContent)
	route(g, "POST", "/tasks/{id}/restore", auth.TaskEdit, "restore-task", "Bring a deleted task back", a.restoreTask)
	route(g, "POST", "/tasks/{id}/run", auth.RunTask, "run-task", "Run a task now", a.runTask, http.StatusCreated)
}

func (a *API) pluginRoutes(g group) {
	route(g, "GET", "/plugins", auth.Read, "list-plugins", "List plugins with their newest version", a.listPlugins)
	route(g, "POST", "/plugins", auth.PluginManage, "upload-plugin", "Publish a packed module", a.uploadPlugin, http.StatusCreated)
	route(g, "POST", "/plugins/switch", auth.PluginManage, "switch-plugins", "Enable or disable many plugins and versions, each by itself", a.switchPlugins)
	route(g, "GET", "/plugins/{name}", auth.Read, "get-plugin", "Read a plugin with its versions", a.getPlugin)
	route(g, "POST", "/plugins/{name}/{verb}", auth.PluginManage, "enable-plugin", "Enable or disable a plugin", a.enablePlugin, http.StatusNoContent)
	route(g, "GET", "/plugins/{name}/versions", auth.Read, "list-plugin-versions", "List the versions of a plugin", a.listVersions)
	route(g, "GET", "/plugins/{name}/versions/{version}", auth.Read, "get-plugin-version", "Read one version", a.getVersion)
	route(g, "GET", "/plugins/{name}/versions/{version}/agents", auth.Read, "list-plugin-version-agents", "List the agents that fetched a version or ran it lately, the latest first", a.listVersionAgents)
	route(g, "POST", "/plugins/{name}/versions/{version}/{verb}", auth.PluginManage, "enable-plugin-version", "Enable, disable, deprecate or revoke one version; hold it back from runs that follow the plugin, or resume it", a.enableVersion, http.StatusNoContent)
	route(g, "POST", "/plugins/{name}/versions/{version}/ring", auth.PluginManage, "set-plugin-ring", "Place a version in a ring: which runs get it", a.setRing, http.StatusNoContent)
	route(g, "GET", "/plugins/{name}/config", auth.Read, "get-plugin-config", "Read what was filled in for a plugin, and the schema for it", a.getPluginConfig)
	route(g, "PUT", "/plugins/{name}/config", auth.PluginManage, "set-plugin-config", "Fill in a plugin's configuration, which arrives in its requests", a.setPluginConfig)
	route(g, "GET", "/plugins/{name}/rings", auth.Read, "list-plugin-rings", "Say which share of the runs gets which version", a.listRings)
	route(g, "POST", "/plugins/{name}/rollback", auth.PluginManage, "roll-back-plugin", "Make an older version the one that runs get, and hold those above it", a.rollBack)
	route(g, "GET", "/plugins/{name}/events", auth.Read, "list-plugin-events", "Read the history of a plugin: who did what to which version", a.listPluginEvents)
}

// reviewRoutes are about what gets in and what it may do: submissions, the folder, keys, grants.
func (a *API) reviewRoutes(g group) {
	route(g, "POST", "/submissions", auth.PluginSubmit, "submit-plugin", "Ask for a packed module to be reviewed and published; answers when it was tried", a.submitPlugin, http.StatusCreated)
	route(g, "POST", "/submissions/script", auth.PluginSubmit, "submit-script", "Ask for a script plugin to be packed, reviewed and published; answers when it was tried", a.submitScript, http.StatusCreated)
	route(g, "POST", "/scripts/check", auth.PluginSubmit, "check-script", "Say what is wrong with a script plugin, by line; with test, run its test cases", a.checkScript)
	route(g, "GET", "/plugin-folder", auth.Read, "get-plugin-folder", "Read what was found in the server's plugin folder", a.getFolder)
	route(g, "POST", "/plugin-folder/rescan", auth.PluginManage, "rescan-plugin-folder", "Look at the plugin folder now", a.rescanFolder)
	route(g, "GET", "/submissions", auth.PluginSubmit, "list-submissions", "List submissions, newest first: one's own, for administrators everybody's", a.listSubmissions)
	route(g, "GET", "/submissions/{id}", auth.PluginSubmit, "get-submission", "Read a submission: its checks, and what it asks for beside the version before", a.getSubmission)
	route(g, "POST", "/submissions/{id}/approve", auth.PluginManage, "approve-submission", "Publish a submission", a.approveSubmission)
	route(g, "POST", "/submissions/{id}/reject", auth.PluginManage, "reject-submission", "End a review without publishing", a.rejectSubmission)
	route(g, "POST", "/submissions/{id}/withdraw", auth.PluginSubmit, "withdraw-submission", "Take back one's own submission", a.withdrawSubmission)
	route(g, "GET", "/signing-keys", auth.Read, "list-signing-keys", "List the keys that sign plugins, the oldest first", a.listKeys)
	route(g, "POST", "/signing-keys/rotate", auth.SystemManage, "rotate-signing-key", "Make a new key, endorsed by the one before it", a.rotateKey)
	route(g, "POST", "/signing-keys/{id}/retire", auth.SystemManage, "retire-signing-key", "Take nothing any more that only this key signed", a.retireKey, http.StatusNoContent)
	route(g, "GET", "/grants", auth.Read, "list-grants", "List what digests were allowed, by whom and when, the latest decision first", a.listGrants)
	route(g, "POST", "/grants", auth.GrantManage, "grant", "Allow a plugin version to do something", a.grant, http.StatusCreated)
	route(g, "GET", "/grants/{digest}", auth.Read, "get-grant", "Read what a digest was allowed", a.getGrant)
	route(g, "DELETE", "/grants/{digest}", auth.GrantManage, "revoke-grant", "Take everything away from a digest", a.revokeGrant, http.StatusNoContent)
}

func (a *API) userRoutes(g group) {
	route(g, "GET", "/me", auth.Read, "get-me", "Who is calling?", a.getMe)
	route(g, "PATCH", "/me", auth.ProfileSelf, "update-me", "Change one's own profile", a.updateMe)
	route(g, "GET", "/me/params", auth.ProfileSelf, "get-params", "Read one's own parameters, by category", a.getParams)
	route(g, "PUT", "/me/params/{category}", auth.ProfileSelf, "set-params", "Replace one category of one's own parameters", a.setParams, http.StatusNoContent)
	route(g, "DELETE", "/me/params/{category}", auth.ProfileSelf, "remove-params", "Remove one category of one's own parameters", a.removeParams, http.StatusNoContent)
	route(g, "POST", "/me/password", auth.ProfileSelf, "change-password", "Change one's own password", a.changePassword, http.StatusNoContent)
	route(g, "POST", "/me/login-link", auth.TokenSelf, "create-login-link", "Make a link that signs in once, on the server's machine", a.createLoginLink, http.StatusCreated)
	route(g, "GET", "/users", auth.UserManage, "list-users", "List users", a.listUsers)
	route(g, "POST", "/users", auth.UserManage, "create-user", "Make a user", a.createUser, http.StatusCreated)
	route(g, "GET", "/users/{id}", auth.UserManage, "get-user", "Read a user", a.getUser)
	route(g, "PATCH", "/users/{id}", auth.UserManage, "update-user", "Change a user (merge patch)", a.updateUser)
	route(g, "DELETE", "/users/{id}", auth.UserManage, "delete-user", "Remove a user with its sessions and tokens", a.deleteUser, http.StatusNoContent)
	route(g, "GET", "/tokens", auth.TokenSelf, "list-tokens", "List one's own API tokens", a.listTokens)
	route(g, "POST", "/tokens", auth.TokenSelf, "create-token", "Make an API token of one's own", a.createToken, http.StatusCreated)
	route(g, "DELETE", "/tokens/{id}", auth.TokenSelf, "revoke-token", "End an API token", a.revokeToken, http.StatusNoContent)
}

func (a *API) secretRoutes(g group) {
	route(g, "GET", "/secrets", auth.SecretManage, "list-secrets", "List secrets, never their values", a.listSecrets)
	route(g, "PUT", "/secrets/{name}", auth.SecretManage, "set-secret", "Store a secret, or give it another value", a.setSecret)
	route(g, "DELETE", "/secrets/{name}", auth.SecretManage, "remove-secret", "Delete a secret", a.removeSecret, http.StatusNoContent)
	route(g, "POST", "/secrets/rotate-key", auth.SecretManage, "rotate-secrets-key", "Make a new key and seal everything with it", a.rotateSecrets)
}

func (a *API) systemRoutes(g group) {
	route(g, "GET", "/overview", auth.Read, "get-overview", "The whole house in numbers", a.getOverview)
	route(g, "GET", "/system", auth.Read, "get-system", "What the server is and how it does", a.getSystem)
	route(g, "GET", "/events", auth.Read, "stream-events", "Follow what happens, as server-sent events", a.streamEvents)
	route(g, "POST", "/backups", auth.SystemManage, "create-backup", "Start a backup of the database", a.createBackup, http.StatusAccepted)
	route(g, "GET", "/backups", auth.SystemManage, "list-backups", "List the backups on the server, newest first", a.listBackups)
	route(g, "GET", "/backups/{name}", auth.SystemManage, "get-backup", "Read a backup: how far it is, its size and SHA-256", a.getBackup)
	route(g, "GET", "/backups/{name}/file", auth.SystemManage, "download-backup", "Download a backup", a.downloadBackup)
	route(g, "DELETE", "/backups/{name}", auth.SystemManage, "delete-backup", "Remove a backup", a.deleteBackup, http.StatusNoContent)
	route(g, "GET", "/cache", auth.Read, "list-cache", "List the regions of the cache", a.listCache)
	route(g, "GET", "/cache/{region}", auth.SystemManage, "get-cache-region", "Read a region with its entries", a.getCacheRegion)
	route(g, "DELETE", "/cache/{region}", auth.SystemManage, "clear-cache-region", "Drop what a region holds in memory", a.clearCacheRegion, http.StatusNoContent)
	route(g, "PUT", "/cache/broadcast/{key}", auth.SystemManage, "set-broadcast", "Put an entry that every agent gets", a.setBroadcast, http.StatusNoContent)
	route(g, "DELETE", "/cache/{region}/{key}", auth.SystemManage, "delete-cache-entry", "Remove one entry of broadcast or plugin data", a.deleteCacheEntry, http.StatusNoContent)
}

// agentRoutes are there twice: agents are also called clients.
func (a *API) agentRoutes(g group, base, name string) {
	route(g, "GET", base+"/tokens", auth.AgentManage, "list-"+name+"-tokens", "List join tokens", a.listJoinTokens)
	route(g, "POST", base+"/tokens", auth.AgentManage, "create-"+name+"-token", "Make a join token", a.createJoinToken, http.StatusCreated)
	route(g, "DELETE", base+"/tokens/{id}", auth.AgentManage, "revoke-"+name+"-token", "End a join token", a.revokeJoinToken, http.StatusNoContent)
	route(g, "GET", base, auth.Read, "list-"+name+"s", "List agents by name", a.listAgents)
	route(g, "GET", base+"/{id}", auth.Read, "get-"+name, "Read an agent", a.getAgent)
	route(g, "GET", base+"/{id}/sessions", auth.Read, "list-"+name+"-sessions", "List the latest connections of an agent", a.listAgentSessions)
	route(g, "POST", base+"/{id}/enable", auth.AgentManage, "enable-"+name, "Let an agent take work", a.enableAgent)
	route(g, "POST", base+"/{id}/disable", auth.AgentManage, "disable-"+name, "Give an agent no work", a.disableAgent)
	route(g, "POST", base+"/{id}/drain", auth.AgentManage, "drain-"+name, "Let an agent finish what it has, and no more", a.drainAgent)
	route(g, "POST", base+"/{id}/undrain", auth.AgentManage, "undrain-"+name, "Let a drained agent take work again", a.undrainAgent)
	route(g, "POST", base+"/{id}/restart", auth.AgentManage, "restart-"+name, "Ask an agent's process to start again", a.restartAgent)
	route(g, "POST", base+"/{id}/rename", auth.AgentManage, "rename-"+name, "Give an agent another name", a.renameAgent)
	route(g, "POST", base+"/{id}/revoke", auth.AgentManage, "revoke-"+name, "Refuse an agent's key from now on", a.revokeAgent)
	route(g, "DELETE", base+"/{id}", auth.AgentManage, "remove-"+name, "Forget an agent", a.removeAgent, http.StatusNoContent)
}

// plain are the routes that no body describes.
func (a *API) plain(r chi.Router, h huma.API) {
	for _, base := range []string{"", Prefix} {
		r.Get(base+"/healthz", a.healthz)
		r.Get(base+"/readyz", a.readyz)
		r.Get(base+"/openapi.json", a.openAPI(h))
		for path, handle := range map[string]http.HandlerFunc{"/healthz": a.healthz, "/readyz": a.readyz} {
			r.Head(base+path, handle) // what many a watcher asks
		}
	}
}

// group is what a stretch of the table has in common.
type group struct {
	api  *API
	huma huma.API
	tag  string
}

// route registers one operation: its path below the prefix, what the caller must be allowed, its id and summary
// in the document, its handler, and its status where that is not 200.
func route[I, O any](g group, method, path string, action auth.Action, id, summary string, handle func(context.Context, *I) (*O, error), status ...int) {
	op := huma.Operation{
		Method: method, Path: Prefix + path, OperationID: id, Summary: summary, Tags: []string{g.tag},
		Description:  "Needs the role " + string(auth.LeastRole(action)) + ".",
		Security:     []map[string][]string{{"token": {}}, {"session": {}}},
		Middlewares:  huma.Middlewares{g.api.needs(action), g.api.readBody},
		MaxBodyBytes: maxBody, BodyReadTimeout: -1, Responses: map[string]*huma.Response{},
	}
	if len(status) > 0 {
		op.DefaultStatus = status[0]
	}
	switch id {
	case "upload-plugin", "submit-plugin":
		op.MaxBodyBytes = maxUpload
	case "submit-script", "check-script":
		op.MaxBodyBytes = maxScripts
	}
	huma.Register(g.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, g.api.toProblem(ctx, err)
		}
		return out, nil
	})
}
