// Command go is the sample of the conformance suite that is written in Go.
package main

import (
	"encoding/json"
	"strconv"
	"time"

	"octopus/sdk/plugin"
)

var actions = plugin.Actions{
	"about": about, "artifact": artifact, "cancelled": cancelled, "echo": echo, "fail": fail, "fetch": plugin.Action(fetch),
	"greet": plugin.Action(greet), "levels": levels, "outputs": outputs, "secret": secret, "state": state,
}

func main() { plugin.Main(actions) }

type object map[string]any

func greet(ctx *plugin.Context, p struct {
	Name  string `json:"name"`
	Times int    `json:"times"`
}) plugin.Response {
	for i := range p.Times {
		ctx.Log("Hello, %s.", p.Name)
		ctx.Progress(float64(i+1)/float64(p.Times), "%d of %d", i+1, p.Times)
	}
	var total int
	if _, err := ctx.KVGet("greeted/"+p.Name, &total); err != nil {
		return plugin.FailWith(err, "Not read: %v", err)
	}
	total += p.Times
	if err := ctx.KVSet("greeted/"+p.Name, total, 0); err != nil {
		return plugin.FailWith(err, "Not kept: %v", err)
	}
	return plugin.OK("Hello, %s.", p.Name).WithResult(object{"name": p.Name, "times": p.Times, "total": total}).
		WithMetric("greetings", float64(p.Times))
}

func echo(ctx *plugin.Context) plugin.Response {
	var p struct {
		Value json.RawMessage `json:"value"`
	}
	if err := ctx.Params(&p); err != nil {
		return plugin.Fail(400, "%v", err)
	}
	return plugin.OK("Echo.").WithResult(p.Value)
}

func state(ctx *plugin.Context) plugin.Response {
	var before, cached any
	failed := ctx.KVSet("a", object{"n": 1}, time.Minute)
	note := func(err error) {
		if failed == nil {
			failed = err
		}
	}
	_, err := ctx.KVGet("a", &before)
	note(err)
	keys, err := ctx.KVList("")
	note(err)
	note(ctx.KVDelete("a"))
	still, err := ctx.KVGet("a", new(any))
	note(err)
	note(ctx.CacheSet("c", []int{1, 2}, 0))
	_, err = ctx.CacheGet("c", &cached)
	note(err)
	if failed != nil {
		return plugin.FailWith(failed, "Not kept: %v", failed)
	}
	return plugin.OK("Kept.").WithResult(object{"before": before, "keys": keys, "gone": !still, "cached": cached})
}

func fetch(ctx *plugin.Context, p struct {
	URL  string `json:"url"`
	Body string `json:"body"`
}) plugin.Response {
	r, err := ctx.Fetch(plugin.HTTPRequest{Method: "POST", URL: p.URL, Headers: map[string]string{"X-Test": "1"}, Body: p.Body})
	if err != nil {
		return plugin.FailWith(err, "No answer: %v", err)
	}
	size := len(r.Body)
	if len(r.BodyBase64) > 0 {
		size = len(r.BodyBase64)
	}
	return plugin.OK("%s", strconv.Itoa(r.Status)).WithResult(object{"text": r.Body, "bytes": size})
}

func secret(ctx *plugin.Context) plugin.Response {
	value, err := ctx.SecretGet("api_token")
	if err != nil {
		return plugin.FailWith(err, "No secret: %v", err)
	}
	return plugin.OK("The secret has %d bytes.", len(value))
}

func artifact(ctx *plugin.Context) plugin.Response {
	err := ctx.ArtifactPut("note.txt", "text/plain", []byte("hä"))
	if err == nil {
		err = ctx.ArtifactPut("raw.bin", "", []byte{0xff, 0, 1})
	}
	if err == nil {
		err = ctx.ArtifactAppend("raw.bin", []byte("more"))
	}
	if err != nil {
		return plugin.FailWith(err, "Not put: %v", err)
	}
	return plugin.OK("Put.")
}

func outputs(*plugin.Context) plugin.Response {
	return plugin.OK("Made.").WithDB("rows", []object{{"a": 1}}).WithCache("c", true, time.Minute).
		WithFile("t.txt", []byte("hä")).WithFile("b.bin", []byte{0xff, 0}).WithMetric("a", 1.5).WithMetric("b", -2).
		WithMetric("c", 1e21).WithMetric("d", 1e-7).WithMetric("e", 0.1).WithMetric("f", 123456789.25)
}

func fail(*plugin.Context) plugin.Response {
	return plugin.Fail(429, "Too many.").WithCode("busy").WithRetry(true, 30*time.Second)
}

func levels(ctx *plugin.Context) plugin.Response {
	ctx.Log("one")
	ctx.Debug("two")
	ctx.Warn("three")
	ctx.Error("four")
	return plugin.OK("Said.")
}

func cancelled(ctx *plugin.Context) plugin.Response {
	if !ctx.Sleep(10*time.Millisecond) || ctx.Cancelled() {
		return plugin.Fail(499, "Stopped.").WithCode("cancelled")
	}
	return plugin.OK("Slept.")
}

func about(ctx *plugin.Context) plugin.Response {
	var config struct {
		Region string `json:"region"`
	}
	var user struct {
		Preferences struct {
			Timezone string `json:"timezone"`
		} `json:"preferences"`
	}
	if err := ctx.Config(&config); err != nil {
		return plugin.Fail(400, "%v", err)
	}
	if err := json.Unmarshal(ctx.User.Params, &user); err != nil {
		return plugin.Fail(400, "%v", err)
	}
	return plugin.OK("%s", ctx.Action).WithResult(object{
		"id": ctx.Execution.ID, "attempt": ctx.Execution.Attempt, "region": config.Region,
		"user": ctx.User.Name, "timezone": user.Preferences.Timezone,
	})
}
