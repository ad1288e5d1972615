/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cables: pairs of links, and a queue of frames for each direction. */
#include "tests/replay/cable.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/core/mem.h"
#include "lib/ipc/link.h"

struct frame {
	struct frame *next;
	uint8_t *body;
	size_t length;
	int fd;
};

struct wire;

/* One direction: what came in at `from` and leaves at `to`. */
struct lane {
	struct wire *wire;
	struct link **to;
	struct frame *first, **last;
	struct deferred turn;
	unsigned turns_left;
	int *limit; /* the cable's, of this direction */
};

struct wire {
	struct wire *next, **link;
	struct cable *cable;
	struct link *near, *far;
	struct lane there, back;
};

struct cable {
	struct net *near, *far;
	char *place;
	struct listener *listener;
	struct wire *wires;
	unsigned turns;
	int limit_there, limit_back; /* frames that may still pass; CABLE_FREE: all */
};

/* --- frames ---------------------------------------------------------------------------------------------------- */

static struct frame *take(struct lane *lane)
{
	struct frame *frame = lane->first;

	lane->first = frame->next;
	if (lane->first == NULL)
		lane->last = &lane->first;
	return frame;
}

static void frame_free(struct frame *frame)
{
	free(frame->body);
	free(frame);
}

static void pass_on(struct deferred *turn)
{
	struct lane *lane = container_of(turn, struct lane, turn);
	struct loop *loop = net_loop(lane->wire->cable->near);

	if (*lane->limit == 0)
		return;
	if (lane->turns_left > 0) {
		lane->turns_left--;
		loop_defer(loop, turn, pass_on);
		return;
	}
	struct frame *frame = take(lane);
	link_send_packed(*lane->to, frame->body, frame->length, frame->fd);
	frame_free(frame);
	lane->turns_left = lane->wire->cable->turns;
	if (*lane->limit > 0)
		--*lane->limit;
	if (lane->first != NULL)
		loop_defer(loop, turn, pass_on);
}

static void lane_start(struct lane *lane)
{
	if (lane->first == NULL || lane->turn.link != NULL)
		return;
	lane->turns_left = lane->wire->cable->turns;
	loop_defer(net_loop(lane->wire->cable->near), &lane->turn, pass_on);
}

static void lane_put(struct lane *lane, const uint8_t *body, size_t length, int fd)
{
	struct frame *frame = mem_alloc(sizeof *frame);

	*frame = (struct frame){.body = mem_dup(body, length), .length = length, .fd = fd};
	*lane->last = frame;
	lane->last = &frame->next;
	lane_start(lane);
}

static void lane_init(struct lane *lane, struct wire *wire, struct link **to, int *limit)
{
	*lane = (struct lane){.wire = wire, .to = to, .limit = limit};
	lane->last = &lane->first;
}

static void lane_clear(struct lane *lane)
{
	loop_undefer(net_loop(lane->wire->cable->near), &lane->turn);
	while (lane->first != NULL) {
		struct frame *frame = take(lane);
		if (frame->fd >= 0)
			close(frame->fd);
		frame_free(frame);
	}
}

/* --- wires ----------------------------------------------------------------------------------------------------- */

static void wire_free(struct wire *wire)
{
	lane_clear(&wire->there);
	lane_clear(&wire->back);
	link_close(&wire->near);
	link_close(&wire->far);
	*wire->link = wire->next;
	if (wire->next != NULL)
		wire->next->link = wire->link;
	free(wire);
}

static void received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct wire *wire = owner;

	lane_put(link == wire->near ? &wire->there : &wire->back, body, length, fd);
}

static void lost(struct link *link, const char *why, void *owner)
{
	(void)link;
	(void)why;
	wire_free(owner);
}

static const struct link_events wire_events = {.received = received, .lost = lost};

/* link_create() takes a stream over and sets its callback; until then nothing is told. */
static void ignore(struct stream *stream, enum stream_event event, void *owner)
{
	(void)stream;
	(void)event;
	(void)owner;
}

static void accepted(struct stream *stream, void *data)
{
	struct cable *cable = data;
	struct wire *wire = mem_alloc(sizeof *wire);

	wire->cable = cable;
	wire->next = cable->wires;
	wire->link = &cable->wires;
	if (wire->next != NULL)
		wire->next->link = &wire->next;
	cable->wires = wire;
	lane_init(&wire->there, wire, &wire->far, &cable->limit_there);
	lane_init(&wire->back, wire, &wire->near, &cable->limit_back);
	wire->near = link_create(stream, &wire_events, wire);
	wire->far = link_create(net_connect(cable->far, cable->place, ignore, NULL), &wire_events, wire);
}

/* --- cables ---------------------------------------------------------------------------------------------------- */

struct cable *cable_create(struct net *near, struct net *far, const char *place)
{
	struct cable *cable = mem_alloc(sizeof *cable);

	*cable = (struct cable){.near = near, .far = far, .place = mem_strdup(place), .limit_there = CABLE_FREE,
		.limit_back = CABLE_FREE};
	cable->listener = net_listen(near, place, accepted, cable, NULL);
	assert(cable->listener != NULL);
	return cable;
}

void cable_free(struct cable **owner)
{
	struct cable *cable = *owner;

	if (cable == NULL)
		return;
	while (cable->wires != NULL)
		wire_free(cable->wires);
	listener_close(&cable->listener);
	free(cable->place);
	free(cable);
	*owner = NULL;
}

void cable_postpone(struct cable *cable, unsigned turns)
{
	cable->turns = turns;
}

void cable_limit(struct cable *cable, int there, int back)
{
	cable->limit_there = there;
	cable->limit_back = back;
	for (struct wire *wire = cable->wires; wire != NULL; wire = wire->next) {
		lane_start(&wire->there);
		lane_start(&wire->back);
	}
}
