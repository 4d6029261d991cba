package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"octopus/sdk"
)

// Lists asks a server for every list that people and programs look at, with each filter, page after page.
type Lists struct {
	// Server is the base URL, Token an API token.
	Server, Token string
	// Requests of each list. Defaults to 20.
	Requests int
	// Progress is told what happens, in words. Defaults to silence.
	Progress func(format string, args ...any)
}

// ListsResult is how long the answers took, the slowest list first.
type ListsResult struct {
	Requests int          `json:"requests"`
	WorstP95 float64      `json:"worst_p95_ms"`
	Lists    []ListResult `json:"lists"`
}

// ListResult is one list.
type ListResult struct {
	Path    string  `json:"path"`
	Pages   int     `json:"pages"` // how deep it was read before it began anew
	P50     float64 `json:"p50_ms"`
	P95     float64 `json:"p95_ms"`
	Max     float64 `json:"max_ms"`
	Failure string  `json:"failure,omitempty"`
}

// Run reads them one after the other, so that none waits for another.
func (c Lists) Run(ctx context.Context) (r ListsResult, err error) {
	if c.Requests <= 0 {
		c.Requests = 20
	}
	if c.Progress == nil {
		c.Progress = func(string, ...any) {}
	}
	client := sdk.New(c.Server, c.Token, sdk.WithUserAgent("octopus-bench"), sdk.WithHTTPClient(httpClient(2, false)))
	defer client.Close()
	paths, err := c.paths(ctx, client)
	if err != nil {
		return r, err
	}
	door, err := signIn(ctx, client, false)
	if err != nil {
		return r, err
	}
	defer door.CloseIdleConnections()
	for _, path := range paths {
		one := c.read(ctx, door, path)
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		c.Progress("%s: p95 %.1f ms, %d pages %s", path, one.P95, one.Pages, one.Failure)
		r.Lists = append(r.Lists, one)
		r.Requests += c.Requests
		r.WorstP95 = max(r.WorstP95, one.P95)
	}
	slices.SortFunc(r.Lists, func(a, b ListResult) int { return cmp.Compare(b.P95, a.P95) })
	return r, nil
}

// paths are the lists, with names and ids that exist: the first and the last by name of each kind.
func (c Lists) paths(ctx context.Context, client *sdk.Client) ([]string, error) {
	var tasks [2]sdk.Task
	var agents [2]sdk.Agent
	for i, sort := range []string{"name", "-name"} {
		t, err := client.Tasks(ctx, sdk.TaskFilter{List: sdk.List{Limit: 1, Sort: sort}})
		if err != nil {
			return nil, err
		}
		a, err := client.Agents(ctx, sdk.AgentFilter{List: sdk.List{Limit: 1, Sort: sort}})
		if err != nil {
			return nil, err
		}
		if len(t.Items) > 0 && len(a.Items) > 0 {
			tasks[i], agents[i] = t.Items[0], a.Items[0]
		}
	}
	paths := listPaths(tasks[0].ID, tasks[1].ID, agents[0].ID, agents[1].ID)
	runs, err := client.Runs(ctx, sdk.RunFilter{List: sdk.List{Limit: 1}})
	if err != nil || len(runs.Items) == 0 {
		return paths, err
	}
	run := runs.Items[0].ID
	return append(paths, "/executions?run="+run, "/runs/"+run, "/api/v1/executions?run="+run, "/api/v1/runs/"+run+"/executions"), nil
}

// listPaths are every list page and API list, with each filter alone and the combinations that people use. Narrow
// ones find next to nothing among all the others, which is the hardest for an index.
func listPaths(task, rareTask, agent, rareAgent string) []string {
	long := time.Now().Add(-10 * 24 * time.Hour).UTC().Format(time.RFC3339)
	history := []string{
		"", "status=failed", "status=failed,cancelled", "status=succeeded", "status=running", "plugin=noop", "plugin=none",
		"task=" + task, "task=" + rareTask, "created_since=24h", "created_since=" + long, "status=failed&task=" + rareTask,
		"status=succeeded&plugin=noop&created_since=24h",
	}
	onlyExecutions := []string{"status=failed,lost,rejected", "agent=" + agent, "agent=" + rareAgent, "agent=" + rareAgent + "&status=failed"}
	var paths []string
	add := func(base string, queries ...string) {
		for _, q := range queries {
			if paths = append(paths, base); q != "" {
				paths[len(paths)-1] += "?" + q
			}
		}
	}
	add("/executions", append(append(history, "created_since=all", "text="+rareText, "text=nothing", "text="+rareText+"&created_since=all"), onlyExecutions...)...)
	add("/runs", append(history, "created_since=all", "by=edsger", "by=nobody&created_since=all", "text=job-00", "text=nothing&created_since=all")...)
	add("/api/v1/executions", append(append(history, "sort=created_at", "q="+rareText, "q=nothing", "created_until="+long, "finished_since="+long,
		"finished_since=24h"), onlyExecutions...)...)
	add("/api/v1/runs", append(history, "sort=created_at", "created_by=edsger", "created_by=nobody", "q=nothing", "created_until="+long)...)
	add("/agents", "", "status=online", "status=offline", "text=00042", "selector=env%3Dprod", "selector=env%3Dprod,role+in+(web,db)", "view=tiles")
	add("/api/v1/agents", "", "sort=-name", "status=online", "q=00042", "selector=env%3Dprod", "selector=os%3Dlinux,role%21%3Dweb")
	add("/tasks", "", "text=0042", "selector=team%3Da")
	add("/api/v1/tasks", "", "q=0042", "selector=team%3Da", "plugin=noop", "folder=ops", "enabled=true", "deleted=true")
	add("/", "")
	for _, base := range []string{"/plugins", "/users", "/system", "/profile", "/api/v1/plugins", "/api/v1/users", "/api/v1/tokens", "/api/v1/agents/tokens", "/api/v1/overview"} {
		add(base, "")
	}
	if agent != "" {
		add("/agents/"+agent, "")
		add("/tasks/"+task, "")
		add("/api/v1/agents/"+agent+"/sessions", "")
	}
	return paths
}

// read asks for a list again and again, each time for the page after; after the last it begins anew.
func (c Lists) read(ctx context.Context, door *http.Client, path string) ListResult {
	var took samples
	r := ListResult{Path: path}
	cursor, page := "", 0
	for range c.Requests {
		begun := time.Now()
		next, err := c.page(ctx, door, path, cursor)
		if err != nil {
			r.Failure = err.Error()
			return r
		}
		took.add(time.Since(begun))
		page++
		r.Pages = max(r.Pages, page)
		if cursor = next; cursor == "" {
			page = 0
		}
	}
	r.P50, r.P95, r.Max = took.at(.5), took.at(.95), took.at(1)
	return r
}

// nextPage is the cursor in the link to the next page.
var nextPage = regexp.MustCompile(`[?&](?:amp;)?cursor=([A-Za-z0-9_-]+)`)

// page reads one page and returns the cursor of the next, "" at the end.
func (c Lists) page(ctx context.Context, door *http.Client, path, cursor string) (next string, err error) {
	u, err := url.Parse(c.Server + path)
	if err != nil {
		return "", err
	}
	if cursor != "" {
		q := u.Query()
		q.Set("cursor", cursor)
		u.RawQuery = q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+c.Token) // pages take the cookie
	res, err := door.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s", res.Status)
	}
	var list struct {
		Next string `json:"next_cursor"`
	}
	if json.Unmarshal(body, &list) == nil {
		return list.Next, nil
	}
	if m := nextPage.FindSubmatch(body); m != nil {
		return string(m[1]), nil
	}
	return "", nil
}
