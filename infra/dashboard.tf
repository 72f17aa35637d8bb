# One page in CloudWatch: events, the Lambda, jobs, alarms.

locals {
  widgets = [
    {
      title = "Events waiting, and how long"
      metrics = [
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${var.name}-events", { stat = "Maximum" }],
        [".", "ApproximateAgeOfOldestMessage", ".", ".", { stat = "Maximum", yAxis = "right", label = "age of the oldest, s" }],
        [".", "ApproximateNumberOfMessagesVisible", ".", "${var.name}-dead-letters", { stat = "Maximum", label = "dead letters" }],
      ]
    },
    {
      title = "The Lambda"
      metrics = [
        ["AWS/Lambda", "Invocations", "FunctionName", local.trigger_name, { stat = "Sum" }],
        [".", "Errors", ".", ".", { stat = "Sum" }],
        [".", "Throttles", ".", ".", { stat = "Sum" }],
        [".", "Duration", ".", ".", { stat = "Maximum", yAxis = "right", label = "longest, ms" }],
      ]
    },
    {
      title   = "What became of jobs"
      metrics = [[{ expression = "SEARCH('{${var.name},verdict,memory_bin} MetricName=\"Verdicts\"', 'Sum')", label = "" }]]
    },
    {
      title   = "Log of jobs, bytes"
      metrics = [["AWS/Logs", "IncomingBytes", "LogGroupName", local.log_groups["jobs"], { stat = "Sum" }]]
    },
    {
      title   = "Stuck datasets that sweeps found"
      metrics = [[{ expression = "SEARCH('{${var.name},found,result} MetricName=\"Swept\"', 'Sum')", label = "" }]]
    },
    {
      title   = "Orders and messages that were refused"
      metrics = [[{ expression = "SEARCH('{${var.name},kind} MetricName=\"Refused\"', 'Sum')", label = "" }]]
    },
  ]
}

resource "aws_cloudwatch_dashboard" "main" {
  count          = var.dashboard ? 1 : 0
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = concat(
      [
        for index, widget in local.widgets : {
          type   = "metric"
          x      = 12 * (index % 2)
          y      = 6 * floor(index / 2)
          width  = 12
          height = 6
          properties = {
            title   = widget.title
            region  = local.region
            period  = 300
            metrics = widget.metrics
          }
        }
      ],
      [{
        type       = "alarm"
        x          = 0
        y          = 6 * ceil(length(local.widgets) / 2)
        width      = 24
        height     = 3
        properties = { title = "Alarms", alarms = values(aws_cloudwatch_metric_alarm.all)[*].arn }
      }],
    )
  })
}
