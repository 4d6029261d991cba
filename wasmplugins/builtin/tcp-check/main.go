// Command tcp-check opens a TCP connection, with TLS if asked, and closes it.
package main

import (
	"time"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/reach"
)

var actions = plugin.Actions{"check": plugin.Action(check)}

func main() { plugin.Main(actions) }

type params struct {
	Host           string  `json:"host"`
	Port           int     `json:"port"`
	TLS            bool    `json:"tls"`
	ServerName     string  `json:"server_name"`
	TimeoutSeconds float64 `json:"timeout_seconds"`
	MaxLatencyMS   float64 `json:"max_latency_ms"` // 0: no limit
}

type result struct {
	Address   string             `json:"address"`
	ConnectMS float64            `json:"connect_ms"`
	TLSMS     float64            `json:"tls_ms,omitempty"`
	TLS       *reach.Certificate `json:"tls,omitempty"`
}

func check(ctx *plugin.Context, p params) plugin.Response {
	where := reach.HostPort(p.Host, p.Port)
	ctx.Log("connecting to %s", where)
	probe, err := ctx.Probe(plugin.ProbeRequest{Host: p.Host, Port: p.Port, TLS: p.TLS, ServerName: p.ServerName, TimeoutSeconds: p.TimeoutSeconds})
	if err != nil {
		return reach.Failure(err, where)
	}
	r := result{
		Address: probe.Address, ConnectMS: reach.Milliseconds(probe.ConnectMS),
		TLSMS: reach.Milliseconds(probe.TLSMS), TLS: reach.Leaf(probe.TLS, time.Now()),
	}
	ctx.Log("connected to %s in %.1f ms", r.Address, r.ConnectMS)
	return judge(p, where, r).WithResult(r).WithMetric("connect_ms", r.ConnectMS).
		WithDB("history", map[string]any{"target": where, "address": r.Address, "connect_ms": r.ConnectMS})
}

func judge(p params, where string, r result) plugin.Response {
	switch {
	case p.TLS && r.TLS != nil && !r.TLS.Verified:
		return plugin.Fail(502, "%s accepts connections, but its certificate is not trusted: %s.", where, r.TLS.VerifyError).
			WithCode("tls").WithRetry(false, 0)
	case p.MaxLatencyMS > 0 && r.ConnectMS > p.MaxLatencyMS:
		return plugin.Fail(504, "%s accepted the connection after %.1f ms, over the limit of %g ms.", where, r.ConnectMS, p.MaxLatencyMS).WithCode("too_slow")
	}
	return plugin.OK("%s accepts connections (%.1f ms).", where, r.ConnectMS)
}
