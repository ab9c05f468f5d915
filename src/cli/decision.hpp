// What a person has decided about rows, carried out: `duet held resolve` and `duet repair`.
//
// It is done at home, in one transaction of ours: the row is written there, what is held of the key is removed there, and a
// refresh carries the row to the spoke. A hub that runs notices (pipeline/reader: notice_a_decision) and starts anew; one that
// does not run reads it when it starts.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/preflight.hpp"
#include "cli/waiting.hpp"
#include "duet/target.hpp"

namespace duet::cli {

// Which row shall stand.
struct verdict {
  std::optional<side> pick;  // none: set, remove, or each plan has its own
  std::vector<std::pair<std::string, std::optional<std::string>>> set;
  bool remove = false;

  std::string winner(std::optional<side> picked) const { return remove ? "delete" : !set.empty() ? "set" : std::string(name(*picked)); }
  side stands(std::optional<side> picked) const { return remove || !set.empty() ? side::home : *picked; }  // whom later writes meet
};

failure usage_failure(std::string what, std::string todo);

struct plan {
  const waiting_key* key;
  const table_pair* table;
  key_cells cells;
  both_rows now;      // as shown, or as locked
  owned_row result;   // what stands at home
  std::optional<side> pick = {};  // of this row, instead of the verdict's
};

// The row that shall stand at home. Throws failure: it can't.
owned_row decide(const verdict&, const plan&);

class decider {
 public:
  enum class about : std::uint8_t { held_keys, differences };

  decider(preflight&, const engines&, const verdict&, about);
  void open();
  void close();  // while a person thinks
  void look(std::vector<plan>&);

  // One transaction. False: a row is not as it was shown, and nothing was written; `plans` says how it is now.
  bool decide_all(std::span<plan>, bool as_shown);
  // A table that was stopped because too many of its keys were held. Nothing was decided about those that still are.
  void start_table(const waiting_key& table);

  base::arena& arena() { return arena_; }

 private:
  template <class Try>
  bool in_transaction(Try);
  target_by_hand::moved begin();
  void end();
  bool try_all(std::span<plan>, bool as_shown);
  void write(std::span<plan>);
  void finish(plan&, std::int64_t now_us);

  preflight& p_;
  const verdict& verdict_;
  const about about_;
  std::unique_ptr<target_by_hand> home_, spoke_;
  base::arena arena_;
};

}  // namespace duet::cli
