package web

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"octopus/internal/octopus"
)

// What a page may follow. Those that end in a colon go on with an id.
const (
	topicFeed       = "feed"       // executions, in the feed of the first page
	topicTiles      = "tiles"      // agents, as tiles
	topicOverview   = "overview"   // numbers and the strip for newcomers
	topicExecutions = "executions" // executions, as rows, by the filter in the address
	topicRuns       = "runs"       // runs, as rows, by the filter in the address
	topicAgents     = "agents"     // agents, as rows
	topicTasks      = "tasks"      // tasks, as rows
	topicPlugins    = "plugins"    // plugins, as rows, by the search in the address
	topicExecution  = "execution:"
	topicRun        = "run:"
	topicLogs       = "logs:"
	topicAgent      = "agent:"
	topicPlugin     = "plugin:" // one of its versions, as name@version
	topicJoined     = "joined:" // agents that a join token brought
)

// maxTopics is how many things a page may follow.
const maxTopics = 8

// subscription is what a page follows.
type subscription struct {
	key    string // the same for pages that follow the same
	topics map[string]struct{}
	filter listFilter // of topicExecutions and topicRuns
}

// subscribe reads a subscription from the address of a stream.
func subscribe(q url.Values) (subscription, bool) {
	sub := subscription{topics: make(map[string]struct{}), filter: readFilter(q)}
	for t := range strings.SplitSeq(q.Get("topics"), ",") {
		if knownTopic(t) {
			sub.topics[t] = struct{}{}
		}
	}
	if len(sub.topics) == 0 || len(sub.topics) > maxTopics {
		return sub, false
	}
	sub.key = strings.Join(sortedKeys(sub.topics), ",") + "?" + sub.filter.query.Encode()
	return sub, true
}

func knownTopic(t string) bool {
	switch t {
	case topicFeed, topicTiles, topicOverview, topicExecutions, topicRuns, topicAgents, topicTasks, topicPlugins:
		return true
	}
	for _, prefix := range []string{topicExecution, topicRun, topicLogs, topicAgent, topicPlugin, topicJoined} {
		if id, ok := strings.CutPrefix(t, prefix); ok && id != "" && len(id) <= 128 {
			return true
		}
	}
	return false
}

// queryTopics is how topics stand in an address.
func queryTopics(topics ...string) string {
	return url.Values{"topics": {strings.Join(topics, ",")}}.Encode()
}

// shows reports whether a list with this filter has the execution.
func (f listFilter) shows(x octopus.Execution, now time.Time) bool {
	if len(f.statuses) > 0 && !slices.Contains(f.statuses, string(x.Status)) {
		return false
	}
	text := strings.ToLower(x.TaskName + "\n" + x.AgentName + "\n" + x.Plugin + "\n" + x.Message)
	return (f.task == "" || f.task == x.TaskID) && (f.run == "" || f.run == x.RunID) &&
		(f.agent == "" || f.agent == x.AgentID) && (f.plugin == "" || f.plugin == x.Plugin) &&
		(f.text == "" || strings.Contains(text, strings.ToLower(f.text))) && !x.CreatedAt.Before(f.created(now))
}

// showsRun does the same for a run.
func (f listFilter) showsRun(r octopus.Run, now time.Time) bool {
	if len(f.statuses) > 0 && !slices.Contains(f.statuses, string(r.Status())) {
		return false
	}
	text := strings.ToLower(r.TaskName + "\n" + r.Plugin)
	return (f.task == "" || f.task == r.TaskID) && (f.plugin == "" || f.plugin == r.Plugin) &&
		(f.by == "" || f.by == r.CreatedBy) && (f.text == "" || strings.Contains(text, strings.ToLower(f.text))) &&
		!r.CreatedAt.Before(f.created(now))
}
