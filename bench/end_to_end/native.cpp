#include "end_to_end/native.hpp"

namespace duet::bench {
namespace {

class subscription : public native_replication {
 public:
  subscription() : source_(postgres_options()), target_(postgres_options()) {
    make_schema(source_, false);
    source_.exec("CREATE PUBLICATION bench FOR ALL TABLES", "bench");
    for (const auto& way : ways()) {
      target_.exec("CREATE DATABASE " + way);
      make_tables(target_, way, false);
      source_.exec("SELECT pg_create_logical_replication_slot('" + way + "', 'pgoutput')", "bench");
      target_.exec("CREATE SUBSCRIPTION " + way + " CONNECTION 'host=" + source_.folder() + " port=" + std::to_string(source_.port()) +
                       " user=postgres dbname=bench' PUBLICATION bench WITH (copy_data = false, create_slot = false, enabled = false, slot_name = '" +
                       way + "'" + (way == "sync_on" ? ", synchronous_commit = on" : "") + ")",
                   way);
    }
  }
  private_server& source() override { return source_; }
  std::vector<std::string> ways() const override { return {"defaults", "sync_on"}; }
  std::unique_ptr<sql_session> target(const std::string& way) override { return target_.session(way); }
  std::string target_digest(const std::string& way) override { return digest(target_, way); }
  void resume(const std::string& way) override { target_.exec("ALTER SUBSCRIPTION " + way + " ENABLE", way); }
  void pause(const std::string& way) override {
    target_.exec("ALTER SUBSCRIPTION " + way + " DISABLE", way);
    eventually([&] { return target_.scalar("SELECT count(*) FROM pg_stat_subscription WHERE subname = '" + way + "' AND pid IS NOT NULL") == "0"; });
  }

 private:
  private_postgres source_, target_;
};

class replica : public native_replication {
 public:
  explicit replica(const std::string& kind) : source_(make_spoke(kind, spoke_options(kind))), target_(make_spoke(kind, spoke_options(kind))) {
    const std::string port = std::to_string(source_->port());
    make_schema(*source_, false);
    make_schema(*target_, true);
    source_->exec("CREATE USER replica@'%' IDENTIFIED BY 'replica'; GRANT REPLICATION SLAVE ON *.* TO replica@'%'");
    if (mariadb()) {
      const auto position = *source_->scalar("SELECT @@gtid_binlog_pos");
      target_->exec("RESET MASTER; SET GLOBAL gtid_slave_pos = '" + position + "'; CHANGE MASTER TO master_host = '127.0.0.1', master_port = " + port +
                    ", master_user = 'replica', master_password = 'replica', master_use_gtid = slave_pos");
    } else {
      const auto done = *source_->scalar("SELECT @@gtid_executed");
      target_->exec("RESET BINARY LOGS AND GTIDS; SET GLOBAL gtid_purged = '" + done + "'; CHANGE REPLICATION SOURCE TO source_host = '127.0.0.1', source_port = " +
                    port + ", source_user = 'replica', source_password = 'replica', source_auto_position = 1, get_source_public_key = 1");
    }
  }
  private_server& source() override { return *source_; }
  std::vector<std::string> ways() const override { return {"4_workers"}; }
  std::unique_ptr<sql_session> target(const std::string&) override { return target_->session("bench"); }
  std::string target_digest(const std::string&) override { return digest(*target_); }
  void resume(const std::string&) override { target_->exec(mariadb() ? "START SLAVE" : "START REPLICA"); }
  void pause(const std::string&) override { target_->exec(mariadb() ? "STOP SLAVE" : "STOP REPLICA"); }

 private:
  bool mariadb() const { return source_->is_mariadb(); }
  std::unique_ptr<spoke_server> source_, target_;
};

}  // namespace

std::unique_ptr<native_replication> make_subscription() { return std::make_unique<subscription>(); }
std::unique_ptr<native_replication> make_replica(const std::string& kind) { return std::make_unique<replica>(kind); }

}  // namespace duet::bench
