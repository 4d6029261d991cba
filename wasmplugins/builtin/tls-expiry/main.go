// Command tls-expiry tells how long the certificate of a server is still good.
package main

import (
	"time"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/reach"
)

var actions = plugin.Actions{"check": plugin.Action(check)}

func main() { plugin.Main(actions) }

type params struct {
	Host            string  `json:"host"`
	Port            int     `json:"port"`
	ServerName      string  `json:"server_name"`
	WarnDays        *int    `json:"warn_days"`
	AllowUnverified bool    `json:"allow_unverified"`
	TimeoutSeconds  float64 `json:"timeout_seconds"`
}

func check(ctx *plugin.Context, p params) plugin.Response {
	if p.Port == 0 {
		p.Port = 443
	}
	warn := 21
	if p.WarnDays != nil {
		warn = *p.WarnDays
	}
	where := reach.HostPort(p.Host, p.Port)
	ctx.Log("TLS handshake with %s", where)
	probe, err := ctx.Probe(plugin.ProbeRequest{Host: p.Host, Port: p.Port, TLS: true, ServerName: p.ServerName, TimeoutSeconds: p.TimeoutSeconds})
	if err != nil {
		return reach.Failure(err, where)
	}
	cert := reach.Leaf(probe.TLS, time.Now())
	if cert == nil {
		return plugin.Fail(502, "%s showed no certificate.", where).WithCode("tls")
	}
	ctx.Log("%s, issued by %s, good until %s", cert.Subject, cert.Issuer, cert.NotAfter.UTC().Format(time.RFC3339))
	return judge(where, warn, p.AllowUnverified, cert).WithResult(cert).
		WithMetric("days_left", float64(cert.DaysLeft)).
		WithDB("expiry", map[string]any{"target": where, "subject": cert.Subject, "not_after": cert.NotAfter, "days_left": cert.DaysLeft})
}

func judge(where string, warn int, allowUnverified bool, cert *reach.Certificate) plugin.Response {
	day := cert.NotAfter.UTC().Format("2 January 2006")
	switch {
	case cert.DaysLeft < 0:
		return plugin.Fail(417, "The certificate of %s expired on %s.", where, day).WithCode("expired")
	case cert.DaysLeft < warn:
		return plugin.Fail(417, "The certificate of %s expires in %s, on %s; renew it now.", where, reach.Count(cert.DaysLeft, "day"), day).WithCode("expires_soon")
	case !cert.Verified && !allowUnverified:
		return plugin.Fail(417, "The certificate of %s is not trusted: %s.", where, cert.VerifyError).WithCode("unverified")
	}
	return plugin.OK("The certificate of %s is good for %s, until %s.", where, reach.Count(cert.DaysLeft, "day"), day)
}
