package bench

// Costs is the CPU time of everything that takes part in a load on this machine, in seconds. A part that runs
// elsewhere is 0.
type Costs struct {
	Server  float64 // the server's process; with octopus dev the agent is in it
	Agents  float64 // the agents' processes
	Runners float64 // the sandboxes, which are children of the server and the agents
	Client  float64 // this process
}

// each is c for one of n units, in milliseconds.
func (c Costs) each(n int) Costs {
	if n == 0 {
		return Costs{}
	}
	k := 1000 / float64(n)
	return Costs{Server: c.Server * k, Agents: c.Agents * k, Runners: c.Runners * k, Client: c.Client * k}
}

func (c Costs) less(before Costs) Costs {
	return Costs{
		Server: c.Server - before.Server, Agents: c.Agents - before.Agents,
		Runners: c.Runners - before.Runners, Client: c.Client - before.Client,
	}
}

// ledger adds up what is used from its start to its stop.
type ledger struct {
	url    string
	before Costs
}

func startLedger(serverURL string) ledger { return ledger{url: serverURL, before: costs(serverURL)} }

func (l ledger) stop() Costs { return costs(l.url).less(l.before) }
