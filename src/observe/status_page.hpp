// The page for people at /: one document, no other file, reads /status each second.
#pragma once

#include <string_view>

namespace duet::observe {

extern const std::string_view status_page;
// Nothing is loaded from anywhere but here; values come in by textContent only.
extern const char* const status_page_policy;

}  // namespace duet::observe
