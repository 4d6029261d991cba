//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// cable joins this machine with a network namespace, in which agents run as on a site of their own. When it is pulled
// packets go nowhere: nobody gets a reset, and both ends find out by themselves. A second one leads to the witness and
// is never pulled, so that it sees what happens meanwhile.
type cable struct {
	space   string // name of the namespace
	plug    string // this machine's end of the cable that can be pulled
	server  string // address of this machine on it
	witness string // address of this machine on the other
}

// newCable lays both. The error says why this machine does not allow it.
func newCable() (*cable, error) {
	pid := os.Getpid()
	c := &cable{space: fmt.Sprintf("octopus-%d", pid), plug: fmt.Sprintf("oct%da", pid)}
	third := pid % 250
	net1, net2 := fmt.Sprintf("10.213.%d", third), fmt.Sprintf("10.214.%d", third)
	c.server, c.witness = net1+".1", net2+".1"
	second := fmt.Sprintf("oct%db", pid)
	for _, line := range []string{
		"netns add " + c.space,
		"-n " + c.space + " link set lo up",
		"link add " + c.plug + " type veth peer name site0 netns " + c.space,
		"link add " + second + " type veth peer name site1 netns " + c.space,
		"addr add " + c.server + "/24 dev " + c.plug,
		"addr add " + c.witness + "/24 dev " + second,
		"-n " + c.space + " addr add " + net1 + ".2/24 dev site0",
		"-n " + c.space + " addr add " + net2 + ".2/24 dev site1",
		"link set " + c.plug + " up", "link set " + second + " up",
		"-n " + c.space + " link set site0 up", "-n " + c.space + " link set site1 up",
	} {
		if err := ip(line); err != nil {
			c.remove()
			return nil, err
		}
	}
	return c, nil
}

func ip(line string) error {
	out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w %s", line, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// pull takes the plug out, plugIn puts it in again.
func (c *cable) pull() error   { return ip("link set " + c.plug + " down") }
func (c *cable) plugIn() error { return ip("link set " + c.plug + " up") }

// inside is how a command is run at the other end.
func (c *cable) inside() []string {
	return []string{"nsenter", "--net=" + filepath.Join("/run/netns", c.space)}
}

// remove leaves nothing: the cables go with the namespace, once its last process has ended.
func (c *cable) remove() error {
	return errors.Join(ignoreMissing(ip("link del "+c.plug)), ignoreMissing(ip("netns del "+c.space)))
}

// ignoreMissing forgives what was not made.
func ignoreMissing(err error) error {
	if err != nil && (strings.Contains(err.Error(), "Cannot find device") || strings.Contains(err.Error(), "No such file")) {
		return nil
	}
	return err
}

// everywhere is the address of all of this machine's networks with the port of one.
func everywhere(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return net.JoinHostPort("0.0.0.0", port)
}

// onSite reports whether an agent is at the other end of the cable.
func (w *world) onSite(i int) bool { return w.cable != nil && i < w.o.Agents-1 }

// siteURL is the first server as the site sees it.
func (w *world) siteURL() string {
	_, port, _ := net.SplitHostPort(w.addresses[0])
	return "http://" + net.JoinHostPort(w.cable.server, port)
}

// pull pulls the cable for some time.
func (w *world) pull(ctx context.Context, lasts time.Duration) {
	if err := w.cable.pull(); err != nil {
		w.t.Error(err)
	}
	pause(ctx, lasts)
	if err := w.cable.plugIn(); err != nil {
		w.t.Error(err)
	}
}
