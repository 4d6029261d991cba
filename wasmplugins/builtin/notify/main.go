// Command notify tells people: a webhook, a Slack channel, or an e-mail by the
// HTTP interface of a mail service. Secrets go to addresses that are fixed
// here, never to one that a parameter names: whoever may run it must not learn
// them.
package main

import (
	"slices"
	"strings"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/apicall"
)

var actions = plugin.Actions{
	"webhook": plugin.Action(webhook), "slack": plugin.Action(slack), "email": plugin.Action(email),
}

func main() { plugin.Main(actions) }

type webhookParams struct {
	URL     string            `json:"url"`
	Title   string            `json:"title"`
	Text    string            `json:"text"`
	Payload map[string]any    `json:"payload"`
	Headers map[string]string `json:"headers"`
}

// webhook posts {"title", "text", "execution", "task"}, or the payload as it is.
func webhook(ctx *plugin.Context, p webhookParams) plugin.Response {
	var body any = p.Payload
	if p.Payload == nil {
		body = map[string]any{"title": p.Title, "text": p.Text, "execution": ctx.Request.Execution.ID, "task": ctx.Request.Execution.Task}
	}
	for name, value := range p.Headers {
		if strings.Contains(value, "{{secret:") { // the URL is whoever's
			return plugin.Fail(400, "The header %s names a secret. A webhook gets none: put what it wants into its URL or a header.", name).WithCode("invalid_params")
		}
	}
	if failure, ok := (apicall.Call{Service: "The webhook", URL: p.URL, Headers: p.Headers, Body: body}).Do(ctx, nil); !ok {
		return failure
	}
	return told(ctx, "The webhook", 1)
}

type slackParams struct {
	Channel string `json:"channel"`
	Text    string `json:"text"`
}

// slack posts a message with a bot token. Slack answers 200 to what it refuses.
func slack(ctx *plugin.Context, p slackParams) plugin.Response {
	var reply struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
		TS    string `json:"ts"`
	}
	call := apicall.Call{
		Service: "Slack", URL: "https://slack.com/api/chat.postMessage", Headers: map[string]string{"Authorization": "Bearer {{secret:slack_token}}"},
		Body: map[string]any{"channel": p.Channel, "text": p.Text},
	}
	if failure, ok := call.Do(ctx, &reply); !ok {
		return failure
	}
	if !reply.OK && !ctx.Request.Execution.DryRun {
		retry := slices.Contains([]string{"ratelimited", "internal_error", "fatal_error", "service_unavailable"}, reply.Error)
		return plugin.Fail(502, "Slack refused the message to %s: %s.", p.Channel, strings.ReplaceAll(reply.Error, "_", " ")).
			WithCode("refused_by_service").WithRetry(retry, 0)
	}
	return told(ctx, "Slack channel "+p.Channel, 1).WithResult(map[string]string{"channel": p.Channel, "ts": reply.TS})
}

type emailParams struct {
	Service string   `json:"service"`
	From    string   `json:"from"`
	To      []string `json:"to"`
	Subject string   `json:"subject"`
	Text    string   `json:"text"`
}

// services are the mail services that email knows: where they listen, how they
// want the token, and how a mail looks to them.
var services = map[string]struct {
	name, url, header, prefix string
	body                      func(emailParams) any
}{
	"sendgrid": {"SendGrid", "https://api.sendgrid.com/v3/mail/send", "Authorization", "Bearer ", func(p emailParams) any {
		to := make([]map[string]string, len(p.To))
		for i, address := range p.To {
			to[i] = map[string]string{"email": address}
		}
		return map[string]any{
			"personalizations": []any{map[string]any{"to": to}}, "from": map[string]string{"email": p.From},
			"subject": p.Subject, "content": []any{map[string]string{"type": "text/plain", "value": p.Text}},
		}
	}},
	"postmark": {"Postmark", "https://api.postmarkapp.com/email", "X-Postmark-Server-Token", "", func(p emailParams) any {
		return map[string]string{"From": p.From, "To": strings.Join(p.To, ","), "Subject": p.Subject, "TextBody": p.Text}
	}},
	"resend": {"Resend", "https://api.resend.com/emails", "Authorization", "Bearer ", func(p emailParams) any {
		return map[string]any{"from": p.From, "to": p.To, "subject": p.Subject, "text": p.Text}
	}},
}

func email(ctx *plugin.Context, p emailParams) plugin.Response {
	s, known := services[p.Service]
	if !known {
		return plugin.Fail(400, "%q is no mail service that this plugin knows: postmark, resend and sendgrid.", p.Service).WithCode("invalid_params")
	}
	call := apicall.Call{Service: s.name, URL: s.url, Headers: map[string]string{s.header: s.prefix + "{{secret:email_token}}"}, Body: s.body(p)}
	if failure, ok := call.Do(ctx, nil); !ok {
		return failure
	}
	return told(ctx, "E-mail to "+strings.Join(p.To, ", "), len(p.To)).WithResult(map[string]any{"service": p.Service, "to": p.To})
}

func told(ctx *plugin.Context, whom string, n int) plugin.Response {
	verb := "sent"
	if ctx.Request.Execution.DryRun {
		verb = "would be sent"
	}
	return plugin.OK("%s: %s.", whom, verb).WithMetric("messages", float64(n))
}
