// Command incident opens an issue or an incident where people handle them:
// GitHub, Jira or ServiceNow. With a key it opens one, and comments on that
// while it is open, instead of a second.
package main

import (
	"cmp"
	"strings"
	"time"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/apicall"
)

var actions = plugin.Actions{
	"github": plugin.Action(open(github)), "jira": plugin.Action(open(jira)), "servicenow": plugin.Action(open(serviceNow)),
}

func main() { plugin.Main(actions) }

// remember is how long a key's incident is looked for.
const remember = 90 * 24 * time.Hour

type params struct {
	Repository string   `json:"repository"` // github: owner/name
	Site       string   `json:"site"`       // jira, servicenow: the host
	Project    string   `json:"project"`    // jira
	Type       string   `json:"type"`       // jira
	Urgency    string   `json:"urgency"`    // servicenow: 1 to 3
	Labels     []string `json:"labels"`
	Title      string   `json:"title"`
	Text       string   `json:"text"`
	Key        string   `json:"key"`
}

// ticket is what a service made. ID is for its interface, Name for people.
type ticket struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	URL  string `json:"url"`
}

// tracker is a service. Each call answers ok = false with the reason.
type tracker struct {
	name    string
	place   func(params) string // where in the service; a key counts there
	create  func(*plugin.Context, params) (ticket, plugin.Response, bool)
	isOpen  func(*plugin.Context, params, ticket) (bool, plugin.Response, bool)
	comment func(*plugin.Context, params, ticket) (plugin.Response, bool)
}

// open is the action of a tracker.
func open(t tracker) func(*plugin.Context, params) plugin.Response {
	return func(ctx *plugin.Context, p params) plugin.Response {
		place := "open/" + t.name + "/" + t.place(p) + "/" + p.Key
		if p.Key != "" {
			response, done := t.again(ctx, p, place)
			if done {
				return response
			}
		}
		made, failure, ok := t.create(ctx, p)
		if !ok {
			return failure
		}
		if ctx.Request.Execution.DryRun {
			return plugin.OK("It would be opened in %s.", t.place(p))
		}
		if p.Key != "" {
			if err := ctx.KVSet(place, made, remember); err != nil {
				ctx.Warn("%s is open, but the next run will not find it: %v", made.Name, err)
			}
		}
		return plugin.OK("%s is open: %s", made.Name, made.URL).WithResult(outcome{ticket: made, Created: true})
	}
}

type outcome struct {
	ticket
	Created bool `json:"created"`
}

// again comments on the incident that a key has open. done is false where
// there is none.
func (t tracker) again(ctx *plugin.Context, p params, place string) (r plugin.Response, done bool) {
	var known ticket
	found, err := ctx.KVGet(place, &known)
	if err != nil {
		return plugin.FailWith(err, "Whether %q has an incident cannot be looked up: %v", p.Key, err), true
	}
	if !found {
		return r, false
	}
	still, failure, ok := t.isOpen(ctx, p, known)
	switch {
	case ok && !still, !ok && failure.Error != nil && failure.Error.Code == apicall.NotFound: // closed, or deleted
		return r, false
	case !ok:
		return failure, true
	}
	if failure, ok := t.comment(ctx, p, known); !ok {
		return failure, true
	}
	return plugin.OK("%s is open already, and has a comment more: %s", known.Name, known.URL).WithResult(outcome{ticket: known}), true
}

// host is the site below a service's domain, "" where it is not.
func host(site, domain string) string {
	site = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(site, "https://"), "/"))
	name := strings.TrimSuffix(site, domain)
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') }) {
		return ""
	}
	return name + domain
}

func badSite(site, domain string) plugin.Response {
	return plugin.Fail(400, "%q is not a site such as acme%s.", site, domain).WithCode("invalid_params")
}

// text is the description, never empty.
func text(p params) string { return cmp.Or(p.Text, p.Title) }

func send(ctx *plugin.Context, service, method, url, authorization string, body, reply any) (plugin.Response, bool) {
	call := apicall.Call{Service: service, Method: method, URL: url, Headers: map[string]string{"Authorization": authorization}, Body: body}
	return call.Do(ctx, reply)
}
