#include "cli/command_line.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <string>

#include "cli/answer.hpp"
#include "duet/failure.hpp"
#include "observe/printable.hpp"

namespace duet::cli {

namespace {

using verb = int (*)(const options&, const engines&, console&);

constexpr const char* about =
    "Duet keeps a PostgreSQL database (home) and a MySQL or MariaDB database (spoke)\n"
    "in step, both ways, live, from their logs.";

constexpr const char* examples =
    "Examples:\n"
    "  duet check -c duet.yaml               what would stop or endanger the sync, and the\n"
    "                                        SQL or setting that mends it\n"
    "  duet setup --print -c duet.yaml       the SQL and the GRANTs, for a DBA to read or run\n"
    "  duet setup -c duet.yaml               makes tables, publication, slot and origin\n"
    "  duet setup --create-missing           the same, and the tables that one side lacks\n"
    "  duet plan --out plan.json             what the first copy or merge will do, before it does\n"
    "  duet run -c duet.yaml                 the daemon; Ctrl-C or SIGTERM drains and stops\n"
    "  duet status --watch -c duet.yaml      rows/s and lag per lane, each second\n"
    "  duet conflicts --since 1h             what conflict rules have decided; show ID: the rows\n"
    "  duet held                             what waits for a decision\n"
    "  duet held resolve 7 --pick home       decides: home's row stands, on both sides\n"
    "  duet verify                           are the rows of both sides equal?\n"
    "  duet repair --truth home              where they differ, home's rows stand\n"
    "  duet teardown -c duet.yaml            removes all that setup made\n"
    "\n"
    "Exit codes: 0 fine, 1 findings, 2 usage or configuration, 3 a database can't be\n"
    "reached, 4 refused: an operator must act.";

void add_shared(CLI::App& app, options& o) {
  app.add_option("-c,--config", o.config_file, "the configuration file (default: duet.yaml)")->type_name("FILE");
  app.add_flag("--json", o.json, "answer in JSON");
}

int usage(console& c, bool json, const std::string& called, const std::string& text, const std::string& todo) {
  if (json) {
    return answer(c, called, exit_usage,
                  {{"error", {{"code", "usage"}, {"text", text}, {"server_code", ""}, {"remedy", todo}, {"exit_code", exit_usage}}}});
  }
  c.err << "duet: " << text << "\n  code: usage\n  to do: " << todo << std::endl;
  return exit_usage;
}

}  // namespace

int run_command_line(int argc, const char* const* argv, std::string_view version, const engines& e, console& c) {
  options o;
  CLI::App app(about, "duet");
  app.footer(examples);
  app.set_version_flag("--version", "duet " + std::string(version));
  app.require_subcommand(1);

  std::string called;
  verb call = nullptr, called_below = nullptr;
  const auto add = [&](const char* name, const char* text, verb v) {
    CLI::App* sub = app.add_subcommand(name, text);
    add_shared(*sub, o);
    sub->callback([&called, &call, name, v] {
      called = name;
      call = v;
    });
    return sub;
  };
  add("check", "says what would stop or endanger the sync, and what mends it; changes nothing", check);
  CLI::App* setup_verb = add("setup", "makes all that Duet needs on both sides; can be run again", setup);
  setup_verb->add_flag("--print", o.print, "print the SQL with the least-privilege GRANTs for a DBA; run nothing");
  setup_verb->add_flag("--create-missing", o.create_missing, "make the tables first that one side lacks, as `duet schema` shows them");
  CLI::App* schema_verb = add("schema", "prints the tables that one side lacks as CREATE TABLE; changes nothing", schema);
  schema_verb
      ->add_option_function<std::string>(
          "--for",
          [&o](const std::string& side) {
            o.home_only = side == "home";
            o.spoke_only = side == "spoke";
          },
          "home or spoke: only those that this side lacks")
      ->type_name("SIDE")
      ->check(CLI::IsMember({"home", "spoke"}));
  CLI::App* run_verb = add("run", "runs the link until SIGTERM or Ctrl-C", run);
  run_verb->add_flag("--take-over", o.take_over, "end another hub of this link first");
  run_verb->add_option("--initial", o.plan_file, "a plan that `duet plan` has written: start only if it still fits")->type_name("FILE");
  run_verb->add_option("--log-level", o.log_level, "trace, debug, info, warn or error (default: info)")
      ->type_name("LEVEL")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}));
  run_verb->add_option_function<std::string>(
              "--log-format", [&o](const std::string& f) { o.log_json = f == "json"; }, "text or json (default: text)")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}));
  CLI::App* status_verb = add("status", "how the link does: asks the running hub, or else the databases", status);
  status_verb->add_flag("--watch", o.watch, "again each second, until Ctrl-C");

  CLI::App* conflicts_verb = add("conflicts", "lists what conflict rules and people have decided; show ID: one of them with its rows", conflicts);
  conflicts_verb->add_option("--since", o.since, "10m, 2h, 3d, or a time in UTC: 2026-03-01T12:00")->type_name("WHEN");
  conflicts_verb->add_option("--table", o.table, "of this table")->type_name("TABLE");
  conflicts_verb->add_option("--key", o.key, "where a key column has this value")->type_name("VALUE");
  conflicts_verb->add_option("--limit", o.limit, "the newest ones (default: 50)")->type_name("N")->check(CLI::Range(1, 1000000));
  CLI::App* held_verb = add("held", "lists the keys that wait for a decision; show ID: their rows; resolve ID: decides", held);
  held_verb->add_option("--table", o.table, "of this table")->type_name("TABLE");
  const auto add_below = [&](CLI::App* parent, const char* name, const char* text, verb v) {
    CLI::App* sub = parent->add_subcommand(name, text);
    sub->fallthrough();  // the options of the verb above
    sub->callback([&called_below, v] { called_below = v; });
    return sub;
  };
  add_below(conflicts_verb, "show", "one entry with its rows, side by side", show_conflict)
      ->add_option("ID", o.ids, "as `duet conflicts` lists it")->required()->expected(1);
  add_below(held_verb, "show", "one key: its rows now, and the changes that wait", show_held)
      ->add_option("ID", o.ids, "as `duet held` lists it")->required()->expected(1);
  CLI::App* resolve_verb = add_below(held_verb, "resolve", "decides which row stands, on both sides", resolve_held);
  resolve_verb->add_option("ID", o.ids, "as `duet held` lists them");
  resolve_verb->add_option("--pick", o.pick, "home or spoke: the row of this side")->type_name("SIDE")->check(CLI::IsMember({"home", "spoke"}));
  resolve_verb
      ->add_option("--set", o.set, "COLUMN=VALUE in the picked row (default: home's), again for each column; COLUMN alone: NULL")
      ->type_name("COLUMN=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  resolve_verb->add_flag("--delete", o.remove, "no row");
  resolve_verb->add_flag("--all", o.all, "all keys of --table that wait");
  resolve_verb->add_flag("--yes", o.yes, "do not ask");

  CLI::App* plan_verb = add("plan", "compares both sides and says what the first copy or merge will make of them; changes nothing", plan_begin);
  plan_verb->add_option("--out", o.out_file, "write the plan to this file, for `duet run --initial`")->type_name("FILE");
  plan_verb->add_option("--table", o.table, "only this table")->type_name("TABLE");
  plan_verb->add_option("--rate", o.rate, "compare at most so many rows a second")->type_name("ROWS")->check(CLI::Range(1, 1000000000));
  plan_verb->add_option("--limit", o.limit, "how many differences are listed of each table (default: 50)")->type_name("N")->check(CLI::Range(1, 1000000));
  CLI::App* verify_verb = add("verify", "compares the rows of both sides, while both are written to; changes nothing", verify);
  verify_verb->add_option("--table", o.table, "only this table")->type_name("TABLE");
  verify_verb->add_option("--rate", o.rate, "compare at most so many rows a second")->type_name("ROWS")->check(CLI::Range(1, 1000000000));
  verify_verb->add_option("--limit", o.limit, "how many differences are listed (default: 50)")->type_name("N")->check(CLI::Range(1, 1000000));
  verify_verb->add_flag("--csv", o.csv, "all differences as CSV: table, kind, key, columns, why");
  CLI::App* repair_verb = add("repair", "compares both sides, and lets the rows of one of them stand where they differ", repair);
  repair_verb->add_option("--truth", o.pick, "whose rows stand: home, spoke, latest (conflict.latest_by says), union (of rows that only one side has)")->type_name("WHOSE")->required()->check(CLI::IsMember({"home", "spoke", "latest", "union"}));
  repair_verb->add_option("--table", o.table, "only this table")->type_name("TABLE");
  repair_verb->add_option("--rate", o.rate, "compare at most so many rows a second")->type_name("ROWS")->check(CLI::Range(1, 1000000000));
  repair_verb->add_option("--limit", o.limit, "how many differences are listed (default: 50)")->type_name("N")->check(CLI::Range(1, 1000000));
  repair_verb->add_flag("--dry-run", o.dry_run, "say what would be done; change nothing");
  repair_verb->add_flag("--yes", o.yes, "do not ask");

  CLI::App* teardown_verb = add("teardown", "removes all that setup made; the synced tables keep their rows", teardown);
  teardown_verb->add_flag("--yes", o.yes, "do not ask");
  teardown_verb->add_flag("--print", o.print, "print the SQL; run nothing");
  teardown_verb
      ->add_option_function<std::string>(
          "--only",
          [&o](const std::string& side) {
            o.home_only = side == "home";
            o.spoke_only = side == "spoke";
          },
          "home or spoke: leave the other database alone, because it is gone for good")
      ->type_name("SIDE")
      ->check(CLI::IsMember({"home", "spoke"}));

  if (argc < 2) {
    c.err << app.help() << std::flush;
    return exit_usage;
  }
  const bool json = std::find(argv + 1, argv + argc, std::string_view("--json")) != argv + argc;  // also where nothing else is understood
  const std::string word = argv[1][0] == '-' ? "" : observe::printable(argv[1]);
  const auto verbs = app.get_subcommands([](CLI::App*) { return true; });
  if (argv[1][0] != '-' && std::none_of(verbs.begin(), verbs.end(), [&](CLI::App* v) { return v->get_name() == argv[1]; }))
    return usage(c, json, word, "there is no verb `" + word + "`", "Use check, schema, setup, run, status, conflicts, held, verify, repair or teardown; `duet --help` explains them.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    c.out << app.help() << std::flush;
    return exit_fine;
  } catch (const CLI::CallForVersion&) {
    c.out << "duet " << version << std::endl;
    return exit_fine;
  } catch (const CLI::ParseError& wrong) {
    return usage(c, json, word, observe::printable(wrong.what()), "`duet" + (word.empty() ? "" : " " + word) + " --help` shows what there is.");
  }

  if (called_below) call = called_below;
  try {
    return call(o, e, c);
  } catch (const failure& f) {
    return answer_failure(o, c, called, f);
  } catch (const std::exception& other) {
    return answer_failure(o, c, called, failure(failure_kind::internal, other.what()));
  }
}

}  // namespace duet::cli
