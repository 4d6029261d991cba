package main

import (
	"net/url"
	"regexp"
	"strconv"

	"octopus/sdk/plugin"
)

const (
	githubAuth     = "Bearer {{secret:github_token}}"
	jiraAuth       = "Basic {{secret:jira_basic}}"
	serviceNowAuth = "Basic {{secret:servicenow_basic}}"
)

var repository = regexp.MustCompile(`^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$`)

// github: https://docs.github.com/rest/issues
var github = tracker{
	name:  "github",
	place: func(p params) string { return p.Repository },
	create: func(ctx *plugin.Context, p params) (ticket, plugin.Response, bool) {
		if !repository.MatchString(p.Repository) {
			return ticket{}, plugin.Fail(400, "%q is no repository such as acme/website.", p.Repository).WithCode("invalid_params"), false
		}
		var made struct {
			Number int    `json:"number"`
			URL    string `json:"html_url"`
		}
		body := map[string]any{"title": p.Title, "body": text(p)}
		if len(p.Labels) > 0 {
			body["labels"] = p.Labels
		}
		failure, ok := send(ctx, "GitHub", "POST", "https://api.github.com/repos/"+p.Repository+"/issues", githubAuth, body, &made)
		id := strconv.Itoa(made.Number)
		return ticket{ID: id, Name: p.Repository + "#" + id, URL: made.URL}, failure, ok
	},
	isOpen: func(ctx *plugin.Context, p params, t ticket) (bool, plugin.Response, bool) {
		var is struct {
			State string `json:"state"`
		}
		failure, ok := send(ctx, "GitHub", "GET", "https://api.github.com/repos/"+p.Repository+"/issues/"+url.PathEscape(t.ID), githubAuth, nil, &is)
		return is.State == "open", failure, ok
	},
	comment: func(ctx *plugin.Context, p params, t ticket) (plugin.Response, bool) {
		return send(ctx, "GitHub", "POST", "https://api.github.com/repos/"+p.Repository+"/issues/"+url.PathEscape(t.ID)+"/comments", githubAuth,
			map[string]string{"body": text(p)}, nil)
	},
}

const jiraDomain = ".atlassian.net"

// jira: https://developer.atlassian.com/cloud/jira/platform/rest/v2/
var jira = tracker{
	name:  "jira",
	place: func(p params) string { return p.Site + "/" + p.Project },
	create: func(ctx *plugin.Context, p params) (ticket, plugin.Response, bool) {
		site := host(p.Site, jiraDomain)
		if site == "" {
			return ticket{}, badSite(p.Site, jiraDomain), false
		}
		kind := p.Type
		if kind == "" {
			kind = "Task"
		}
		fields := map[string]any{
			"project": map[string]string{"key": p.Project}, "issuetype": map[string]string{"name": kind},
			"summary": p.Title, "description": text(p),
		}
		if len(p.Labels) > 0 {
			fields["labels"] = p.Labels
		}
		var made struct {
			Key string `json:"key"`
		}
		failure, ok := send(ctx, "Jira", "POST", "https://"+site+"/rest/api/2/issue", jiraAuth, map[string]any{"fields": fields}, &made)
		return ticket{ID: made.Key, Name: made.Key, URL: "https://" + site + "/browse/" + made.Key}, failure, ok
	},
	isOpen: func(ctx *plugin.Context, p params, t ticket) (bool, plugin.Response, bool) {
		var is struct {
			Fields struct {
				Status struct {
					Category struct {
						Key string `json:"key"`
					} `json:"statusCategory"`
				} `json:"status"`
			} `json:"fields"`
		}
		failure, ok := send(ctx, "Jira", "GET", "https://"+host(p.Site, jiraDomain)+"/rest/api/2/issue/"+url.PathEscape(t.ID)+"?fields=status", jiraAuth, nil, &is)
		return is.Fields.Status.Category.Key != "done", failure, ok
	},
	comment: func(ctx *plugin.Context, p params, t ticket) (plugin.Response, bool) {
		return send(ctx, "Jira", "POST", "https://"+host(p.Site, jiraDomain)+"/rest/api/2/issue/"+url.PathEscape(t.ID)+"/comment", jiraAuth,
			map[string]string{"body": text(p)}, nil)
	},
}

const (
	serviceNowDomain = ".service-now.com"
	// resolved is the first state of an incident on which nobody works any more.
	resolved = 6
)

// serviceNow: the Table API of the table incident.
var serviceNow = tracker{
	name:  "servicenow",
	place: func(p params) string { return p.Site },
	create: func(ctx *plugin.Context, p params) (ticket, plugin.Response, bool) {
		site := host(p.Site, serviceNowDomain)
		if site == "" {
			return ticket{}, badSite(p.Site, serviceNowDomain), false
		}
		body := map[string]string{"short_description": p.Title, "description": text(p)}
		if p.Urgency != "" {
			body["urgency"] = p.Urgency
		}
		var made struct {
			Result struct {
				ID     string `json:"sys_id"`
				Number string `json:"number"`
			} `json:"result"`
		}
		failure, ok := send(ctx, "ServiceNow", "POST", "https://"+site+"/api/now/table/incident", serviceNowAuth, body, &made)
		id := made.Result.ID
		return ticket{ID: id, Name: made.Result.Number, URL: "https://" + site + "/nav_to.do?uri=incident.do?sys_id=" + url.QueryEscape(id)}, failure, ok
	},
	isOpen: func(ctx *plugin.Context, p params, t ticket) (bool, plugin.Response, bool) {
		var is struct {
			Result struct {
				State string `json:"state"`
			} `json:"result"`
		}
		failure, ok := send(ctx, "ServiceNow", "GET", incident(p, t)+"?sysparm_fields=state", serviceNowAuth, nil, &is)
		state, err := strconv.Atoi(is.Result.State)
		return err == nil && state < resolved, failure, ok
	},
	comment: func(ctx *plugin.Context, p params, t ticket) (plugin.Response, bool) {
		return send(ctx, "ServiceNow", "PATCH", incident(p, t), serviceNowAuth, map[string]string{"work_notes": text(p)}, nil)
	},
}

func incident(p params, t ticket) string {
	return "https://" + host(p.Site, serviceNowDomain) + "/api/now/table/incident/" + url.PathEscape(t.ID)
}
