// Damage that the judge must see: each is done to the databases of a run that was found right, judged, and undone.
#pragma once

#include <string>
#include <vector>

#include "torture_test/judge.hpp"

namespace duet::torture {

// What the judge has not seen; empty: it sees everything.
std::vector<std::string> try_the_judge(stage&, const observed&);

}  // namespace duet::torture
