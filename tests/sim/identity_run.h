// One simulated history of people: clients that send events and retry, the world that gets in their
// way, and what must be true when it is quiet again.
//
//   IdentityRun run(draw_plan(seed, faults), choices, world_options);
//   std::string wrong = run.run();   // empty: all is well
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "identity_model.h"
#include "world.h"

namespace hogflare::sim {

struct PlannedRequest {
  std::vector<ModelEvent> events;
  bool gives_up = false;  // the client does not retry
};

// Each client sends its requests one after the other, all clients at once.
struct Plan {
  bool exact = false;
  bool compares_with_model = false;   // only small histories
  PersonBounds people;                // how much of a person goes where
  std::vector<PlannedRequest> first;  // answered before the clients begin
  std::vector<std::vector<PlannedRequest>> clients;
};

// A history drawn from a seed: small ones share ids and properties as much as they can and are held
// against the model; large ones write properties of which each is checked by itself.
Plan draw_plan(Choices& choices);
Faults draw_faults(Choices& choices);

class IdentityRun {
 public:
  IdentityRun(Plan plan, Choices& choices, WorldOptions options, Sink& sink,
              const std::vector<std::string> (&sends)[kStreamCount]);
  ~IdentityRun();

  // Makes history() show every commit of a person's object.
  void keep_trace();
  // What is wrong, empty when nothing is.
  std::string run();
  const Counts& counts() const;
  World& world();
  // The history as text, for the report of a failure.
  std::string history() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hogflare::sim
