# What tells that something is wrong.

resource "aws_cloudwatch_metric_alarm" "queue" {
  for_each = {
    dead-letters = {
      queue     = "dead-letters"
      metric    = "ApproximateNumberOfMessagesVisible"
      threshold = 0
      periods   = 1
      says      = "An event could not be dealt with. The Lambda's log says why; once that is mended, redrive the queue."
    }
    events-waiting = {
      queue     = "events"
      metric    = "ApproximateAgeOfOldestMessage"
      threshold = 3600
      periods   = 3
      says      = "Events wait for more than an hour: the Lambda fails, or does not keep up."
    }
  }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = "AWS/SQS"
  metric_name         = each.value.metric
  dimensions          = { QueueName = aws_sqs_queue.all[each.value.queue].name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = local.tags
}
