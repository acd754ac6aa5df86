package main

import (
	"io"
	"testing"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/test/rig"
)

// Who may do what in a room, within what the roles of the functions allow: what needs a
// permission that no template gives is answered as internal.
func TestRights_WithinTheSynthesizedRoles(t *testing.T) {
	c := synthWith(t, pushSettings(map[string]any{"env": "dev", "services": "bot", "events": true}))
	guards := allowing(t)
	rig.CheckRights(rig.Start(t, local.Config{
		LogLevel: "warn", Events: io.Discard, Push: true, Pushes: ended{},
		Wrap: func(d local.Deployment) local.Deployment { return rig.Unlimited(inRoles(t, c, d, guards)) },
	}))
}
